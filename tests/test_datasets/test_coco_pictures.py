"""COCO annotations beside their pictures: sizes, orientations and names; and verify_dataset."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from mmclsa.datasets.coco_person_search import CocoPersonSearchDataset
from mmclsa.datasets.file_names import find_files
from mmclsa.datasets.readers.true_sizes import settle_sizes
from mmclsa.datasets.verify import inspect_split
from mmclsa.errors import DataError
from mmclsa.structures import Scene

SIZE = (320, 240)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def told(monkeypatch):
    """What is printed."""
    sentences = []

    def keep(text, *args, **options):
        sentences.append(text)

    for module in ('settling', 'coco_person_search', 'base_person_search'):
        monkeypatch.setattr(f'mmclsa.datasets.{module}.print_log', keep)
    return sentences


def draw(path, size=SIZE, orientation=None):
    """Write a picture that is of this size when it is upright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        picture = picture.rotate(90, expand=True)
    picture.save(path, exif=exif)


def make(root, annotated=SIZE, size=SIZE, orientation=None, names='{}.jpg', xs=(20, 110, 200)):
    """Write four pictures with three people each, 40 x 90 pixels."""
    images, boxes = [], []
    for number in range(1, 5):
        name = names.format(number)
        image = dict(id=number, file_name=name)
        if annotated:
            image.update(width=annotated[0], height=annotated[1])
        images.append(image)
        draw(root / 'img' / name, size, orientation)
        for person, x in enumerate(xs):
            box = dict(id=len(boxes), image_id=number, category_id=1, bbox=[x, 60, 40, 90])
            boxes.append(dict(box, person_id=person))
    data = dict(images=images, annotations=boxes, categories=[dict(id=1, name='person')])
    save(root, data)
    return data


def save(root, data):
    (root / 'annotations.json').write_text(json.dumps(data))


def options(root, **more):
    return dict(
        dict(data_root=str(root), ann_file='annotations.json', data_prefix=dict(img_path='img')),
        pipeline=[],
        **more,
    )


def build(root, **more):
    return CocoPersonSearchDataset(**options(root, **more))


def inspect(root, **more):
    config = dict(options(root, **more), type='CocoPersonSearchDataset')
    return inspect_split('train', config)[0]


class TestSizes:
    @pytest.mark.parametrize('test_mode', [False, True])
    @pytest.mark.parametrize(
        'annotated', [None, (0, 0), (100, 100), (4000, 3000), (240, 320), (319, 240), ('320', '9')]
    )
    def test_the_picture_counts_and_nobody_vanishes(self, tmp_path, told, annotated, test_mode):
        make(tmp_path, annotated, xs=(20, 110, 275))
        dataset = build(tmp_path, test_mode=test_mode)
        assert dataset.counts()['boxes'] == 12
        info = dataset.get_data_info(0)
        assert (info['width'], info['height']) == SIZE
        if annotated and annotated[0]:
            assert '4 pictures have another size than their annotations say' in told[0]
            assert '1.jpg is 320x240, but its annotation says' in told[0]
        report = inspect(tmp_path, test_mode=test_mode)
        assert report.counts['boxes'] == 12
        wrong = 4 if annotated and annotated[0] else 0
        assert len(report.disagreements) == wrong
        assert report.complete is not bool(wrong)

    def test_boxes_in_pixels_of_another_size_stop_training(self, tmp_path):
        make(tmp_path, SIZE, (160, 120))
        with pytest.raises(
            DataError,
            match=r'4 pictures have another size.* 4 of them are not in pixels.*'
            r'the first: 1\.jpg is 160x120, but its annotation says 320x240',
        ):
            build(tmp_path)
        report = inspect(tmp_path)
        assert len(report.disagreements) == 4
        assert report.left_out == {'boxes beyond their picture': 4}
        assert not report.complete

    def test_without_sizes_in_the_file_they_are_taken_as_they_are(self, tmp_path, told):
        make(tmp_path, None, (160, 120))
        assert build(tmp_path).counts()['boxes'] == 8
        assert any('left out: 4 boxes beyond their picture' in text for text in told)

    def test_an_ignored_box_is_no_witness(self, tmp_path, told):
        data = make(tmp_path, (640, 480), xs=(20, 110, 300))
        for box in data['annotations'][2::3]:
            box['iscrowd'] = 1
        save(tmp_path, data)
        assert build(tmp_path).counts()['boxes'] == 8

    @pytest.mark.parametrize('name', ['{}.jpg', '{}.png'])
    def test_a_phone_held_upright(self, tmp_path, told, name):
        make(tmp_path, (240, 320), orientation=6, names=name, xs=(20, 110, 275))
        dataset = build(tmp_path)
        assert dataset.counts()['boxes'] == 12
        assert 'EXIF' in told[0]
        picture = dataset.load_picture(dataset.get_data_info(0))
        assert picture.shape == (240, 320, 3)
        assert all('EXIF' in one for one in inspect(tmp_path).disagreements)

    def test_boxes_in_pixels_as_stored_are_refused(self, tmp_path):
        data = make(tmp_path, (240, 320), orientation=6)
        for box in data['annotations']:
            box['bbox'] = [60, 20 + 90 * box['person_id'], 90, 60]
        save(tmp_path, data)
        with pytest.raises(DataError, match=r'not in pixels of the picture.*EXIF orientation'):
            build(tmp_path)

    def test_every_disagreement_is_named(self, tmp_path):
        data = make(tmp_path)
        data['images'][1]['width'] = 321
        data['images'][3]['height'] = 239
        save(tmp_path, data)
        (tmp_path / 'img' / '3.jpg').unlink()
        report = inspect(tmp_path)
        assert [one.split(' is ')[0] for one in report.disagreements] == ['2.jpg', '4.jpg']
        assert [path.endswith('3.jpg') for path in report.missing] == [True]

    def test_a_missing_or_broken_picture_is_named(self, tmp_path):
        make(tmp_path)
        (tmp_path / 'img' / '3.jpg').write_bytes(b'no picture')
        with pytest.raises(DataError, match=r'3\.jpg'):
            build(tmp_path)
        (tmp_path / 'img' / '3.jpg').unlink()
        with pytest.raises(DataError, match=r'3\.jpg cannot be read'):
            build(tmp_path, test_mode=True)

    def test_a_query_is_held_against_the_picture(self, tmp_path, told):
        make(tmp_path, (640, 480))
        query = dict(image_id=1, bbox=[330, 60, 40, 90], person_id=0, gallery='all')
        (tmp_path / 'p.json').write_text(json.dumps(dict(queries=[query])))
        with pytest.raises(DataError, match=r'queries\[0\].*lies outside of its image.*320x240'):
            build(tmp_path, test_mode=True, protocol_files='p.json')

    @pytest.mark.parametrize('seed', range(5))
    def test_settling_against_one_box_after_the_other(self, seed):
        rng = np.random.default_rng(seed)
        boxes = rng.uniform(0, 60, (6, 4))
        boxes[:, 2:] += boxes[:, :2]
        ignore = rng.random(6) < 0.4
        scene = Scene('a', boxes, np.arange(6), ignore, width=90, height=70)
        [settled], [found] = settle_sizes([scene], {'a': (50, 100)})
        assert (settled.width, settled.height) == (50, 100)
        fits = True
        for (_, _, x2, y2), skip in zip(boxes, ignore):
            if not skip and x2 <= 92 and y2 <= 72 and (x2 > 52 or y2 > 102):
                fits = False
        assert found.boxes_fit is fits


class TestNames:
    def expect(self, tmp_path, name, file):
        make(tmp_path)
        data = json.loads((tmp_path / 'annotations.json').read_text())
        data['images'][1]['file_name'] = name
        save(tmp_path, data)
        (tmp_path / 'img' / '2.jpg').unlink()
        draw(tmp_path / file)
        dataset = build(tmp_path)
        assert dataset.counts()['boxes'] == 12
        info = dataset.get_data_info(1)
        assert info['img_id'] == name, 'the key is what the file says'
        assert dataset.load_picture(info).shape == (240, 320, 3)
        assert inspect(tmp_path).complete

    @pytest.mark.parametrize(
        ('name', 'file'),
        [
            ('day\\x.jpg', 'img/day/x.jpg'),
            ('.\\day\\x.jpg', 'img/day/x.jpg'),
            ('img\\x.jpg', 'img/x.jpg'),
            ('img/x.jpg', 'img/x.jpg'),
            ('C:\\Users\\me\\img\\day\\x.jpg', 'img/day/x.jpg'),
            ('C:\\Users\\me\\export\\x.jpg', 'img/x.jpg'),
            ('\\\\nas\\share\\x.jpg', 'img/x.jpg'),
            ('/home/me/pictures/day/x.jpg', 'img/day/x.jpg'),
            ('/data/local-files/?d=img/x.jpg', 'img/x.jpg'),
            ('x.JPG', 'img/x.jpg'),
            ('x.jpg', 'img/x.JPG'),
            ('Day/X.jpg', 'img/day/x.JPG'),
            ('a%20b.jpg', 'img/a b.jpg'),
            ('caf\u00e9.jpg', 'img/cafe\u0301.jpg'),
        ],
    )
    def test_names_of_other_machines(self, tmp_path, told, name, file):
        self.expect(tmp_path, name, file)
        assert any('1 picture is not where file_name says' in text for text in told)

    def test_the_home_folder(self, tmp_path, told, monkeypatch):
        monkeypatch.setenv('HOME', str(tmp_path))
        self.expect(tmp_path, '~/pictures/x.jpg', 'pictures/x.jpg')
        folder = options(tmp_path, test_mode=True)
        folder['data_root'] = '~'
        assert CocoPersonSearchDataset(**folder).counts()['boxes'] == 12

    @pytest.mark.parametrize('name', ['a\\b.jpg', 'X.jpg', 'a%20b.jpg'])
    def test_a_name_that_is_a_file_is_that_file(self, tmp_path, told, name):
        self.expect(tmp_path, name, f'img/{name}')
        assert told == []

    def test_a_relative_name_is_not_guessed_by_its_end(self, tmp_path):
        for file in ('a.jpg', 'b/x.jpg', 'b/X.jpg'):
            draw(tmp_path / file)
        names = ['cam1/a.jpg', 'cam1\\a.jpg', 'b/x.JPG', 'none.jpg']
        assert find_files(str(tmp_path), names) == {}, 'another folder, two alike, nothing'
        assert find_files(str(tmp_path / 'none'), names) == {}

    @pytest.mark.parametrize('name', ['img\\1.jpg', './1.jpg', '1.JPG'])
    def test_two_names_of_one_picture_are_refused(self, tmp_path, name):
        data = make(tmp_path)
        data['images'][2]['file_name'] = name
        save(tmp_path, data)
        with pytest.raises(DataError, match=r'1\.jpg and .*1\.(jpg|JPG) are one file'):
            build(tmp_path)

    def test_a_missing_picture_says_its_name(self, tmp_path):
        make(tmp_path)
        shutil.rmtree(tmp_path / 'img')
        with pytest.raises(DataError, match='img is missing'):
            build(tmp_path)
        assert len(inspect(tmp_path).missing) == 4


class TestVerify:
    def test_what_is_left_out_is_counted(self, tmp_path, told):
        data = make(tmp_path)
        data['categories'].append(dict(id=2, name='car'))
        box = dict(id=99, image_id=1, category_id=2, bbox=[1, 1, 9, 9])
        data['annotations'] += [
            box,
            dict(box, category_id=1, bbox=[1, 1, 0, 9]),
            dict(box, category_id=1, bbox=[400, 1, 9, 9]),
        ]
        save(tmp_path, data)
        report = inspect(tmp_path)
        assert report.complete
        assert report.counts['boxes'] == 12
        assert report.left_out == {
            'boxes of category car': 1,
            'boxes smaller than a pixel': 1,
            'boxes beyond their picture': 1,
        }

    def test_nobody_with_an_identity_is_said(self, tmp_path, told):
        data = make(tmp_path)
        for box in data['annotations']:
            del box['person_id']
        save(tmp_path, data)
        assert 'nobody has an identity' in inspect(tmp_path).notes[0]
        assert 'nobody has an identity' in told[0]

    def test_half_a_picture_decoded(self, tmp_path):
        """With OpenCV 4, too."""
        from mmclsa.datasets.verify import check_picture

        rng = np.random.default_rng(0)
        data = cv2.imencode('.jpg', rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))[1].tobytes()
        (tmp_path / 'a.jpg').write_bytes(data[: len(data) // 2])
        assert 'broken' in check_picture(str(tmp_path / 'a.jpg'), None)
