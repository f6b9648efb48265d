"""Readers: what is broken in a file is named, with the file and the field."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, protocol_names, read_cuhk_sysu
from mmclsa.datasets.readers.json_file import json_box, load_json
from mmclsa.datasets.readers.mat_file import load_mat, mat_field
from mmclsa.datasets.readers.prw import camera_of, prw_protocols, read_prw
from mmclsa.errors import DataError
from tests.fakes import make_fake_coco, make_fake_cuhk_sysu, make_fake_prw

TESTS = 'annotation/test/train_test'


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def damage(path, how):
    """Damage a .mat file; the words of the error that follows."""
    if how == 'missing':
        path.unlink()
    elif how == 'no readable':
        truncate(path)
    else:
        savemat(path, {'other': np.eye(2)})
    return rf'{path.name} .*{how}|{path.name} is {how}'


class TestFiles:
    def test_mat(self, tmp_path):
        savemat(tmp_path / 'a.mat', {'one': np.eye(3), 'two': np.arange(500.0)})
        assert mat_field(tmp_path / 'a.mat', 'none', 'one').shape == (3, 3)
        with pytest.raises(DataError, match=r"a\.mat must have a variable x or y, but has \['one'"):
            mat_field(tmp_path / 'a.mat', 'x', 'y')
        truncate(tmp_path / 'a.mat')
        with pytest.raises(DataError, match=r'a\.mat is no readable \.mat file'):
            load_mat(tmp_path / 'a.mat')
        with pytest.raises(DataError, match=r'b\.mat is missing; docs/datasets\.md'):
            load_mat(tmp_path / 'b.mat')

    def test_json(self, tmp_path):
        (tmp_path / 'a.json').write_text('{"images": [')
        with pytest.raises(DataError, match=r'a\.json is no readable JSON file'):
            load_json(tmp_path / 'a.json')
        (tmp_path / 'a.json').write_bytes(b'"\xff\xfe"')
        with pytest.raises(DataError, match=r'a\.json is no readable JSON file'):
            load_json(tmp_path / 'a.json')
        with pytest.raises(DataError, match=r'b\.json is missing'):
            load_json(tmp_path / 'b.json')

    @pytest.mark.parametrize(
        'box', [[1, 2, 3], [1, 2, 3, float('nan')], [1, 2, 0, 4], ['a', 2, 3, 4], None, {'x': 1}]
    )
    def test_json_box(self, box):
        with pytest.raises(DataError, match=r'a\.json: bbox must be 4 finite numbers'):
            json_box({'bbox': box}, 'a.json')
        with pytest.raises(DataError, match=r"a\.json: the field 'bbox' is missing"):
            json_box({}, 'a.json')


def change_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


class TestCoco:
    @pytest.fixture
    def root(self, tmp_path):
        return make_fake_coco(tmp_path, images=False)

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            (lambda c: c.pop('images'), "the field 'images' is missing"),
            (lambda c: c.pop('annotations'), "the field 'annotations' is missing"),
            (lambda c: c['images'].clear(), 'field images: expected at least one image'),
            (lambda c: c['images'][2].pop('id'), r"images\[2\]: the field 'id' is missing"),
            (lambda c: c['images'][1].pop('file_name'), r"images\[1\]: the field 'file_name'"),
            (
                lambda c: c['annotations'][3].update(image_id=77),
                r'annotations\[3\]: image_id 77 is not among the images',
            ),
            (lambda c: c['annotations'][3].pop('bbox'), r"annotations\[3\]: the field 'bbox'"),
            (
                lambda c: c['annotations'][4].update(bbox=[1, 2, float('nan'), 5]),
                r'annotations\[4\]: bbox must be 4 finite',
            ),
            (
                lambda c: c['annotations'][0].update(person_id='Ann'),
                r"annotations\[0\]: person_id must be an integer, but got 'Ann'",
            ),
        ],
    )
    def test_annotations(self, root, change, words):
        change_json(root / 'annotations.json', change)
        with pytest.raises(DataError, match=rf'annotations\.json.*{words}'):
            read_coco(root / 'annotations.json')

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            (lambda c: c.pop('queries'), "the field 'queries' is missing"),
            (lambda c: c['queries'].clear(), 'field queries: expected at least one query'),
            (lambda c: c['queries'][1].pop('gallery'), r"queries\[1\]: the field 'gallery'"),
            (lambda c: c['queries'][1].update(gallery='most'), r"or \"all\", but got 'most'"),
            (lambda c: c['queries'][1].update(gallery=[1, 99]), r'queries\[1\]: image_id 99'),
            (lambda c: c['queries'][1].update(gallery=[]), r'queries\[1\]: no gallery image shows'),
            (lambda c: c['queries'][0].update(image_id=5), r'queries\[0\]: image_id 5 is not in'),
            (lambda c: c['queries'][0].update(person_id=-1), 'person_id must be an integer >= 0'),
            (lambda c: c['queries'][0].update(person_id=50), 'no gallery image shows person_id 50'),
            (lambda c: c['queries'][1].update(query_id=0), 'a query_id occurs twice'),
            (lambda c: c['queries'][0].update(bbox=[0, 0, 0, 0]), 'with positive size'),
        ],
    )
    def test_protocol(self, root, change, words):
        scenes = read_coco(root / 'annotations.json')
        change_json(root / 'protocol.json', change)
        with pytest.raises(DataError, match=rf'protocol\.json.*{words}'):
            coco_protocol(root / 'protocol.json', scenes)

    def test_an_image_without_people_and_people_without_id(self, root):
        def change(content):
            first = content['images'][0]['id']
            content['annotations'] = [a for a in content['annotations'] if a['image_id'] != first]
            del content['annotations'][0]['person_id']
            content['annotations'][1]['track_id'] = 4

        change_json(root / 'annotations.json', change)
        scenes = read_coco(root / 'annotations.json')
        assert scenes[0].boxes.shape == (0, 4)
        assert scenes[1].person_ids[0] == -1
        assert scenes[1].track_ids[:2].tolist() == [-1, 4]


class TestCuhkSysu:
    @pytest.fixture
    def root(self, tmp_path):
        return make_fake_cuhk_sysu(tmp_path, images=False)

    @pytest.mark.parametrize('file', ['annotation/Images.mat', 'annotation/pool.mat'])
    @pytest.mark.parametrize('how', ['missing', 'no readable', 'must have a variable'])
    def test_broken_file(self, root, file, how):
        with pytest.raises(DataError, match=damage(root / file, how)):
            read_cuhk_sysu(root, 'test')

    def test_split_and_protocol_names(self, root):
        with pytest.raises(DataError, match="split must be 'train' or 'test', but got 'val'"):
            read_cuhk_sysu(root, 'val')
        with pytest.raises(DataError, match="unknown CUHK-SYSU protocol 'gallery_x': expected"):
            cuhk_sysu_protocols(root, ['gallery_x'])
        with pytest.raises(DataError, match=r'TestG500\.mat is missing'):
            cuhk_sysu_protocols(root, ['gallery_500'])
        assert protocol_names(root) == ['gallery_50', 'gallery_100']
        for path in (root / TESTS).glob('TestG*.mat'):
            path.unlink()
        with pytest.raises(DataError, match=r'has no TestG\*\.mat'):
            cuhk_sysu_protocols(root)

    def test_an_image_that_is_nowhere(self, root):
        pool = loadmat(root / 'annotation/pool.mat')['pool']
        shorter = {'pool': pool[:-1]}
        savemat(root / 'annotation/pool.mat', shorter)
        with pytest.raises(DataError, match=r'TestG50\.mat, query \d: image s14\.jpg is not in'):
            cuhk_sysu_protocols(root)
        pool[0, 0] = 'x.jpg'
        savemat(root / 'annotation/pool.mat', {'pool': pool})
        with pytest.raises(DataError, match=r'pool\.mat lists image x\.jpg, which Images\.mat'):
            read_cuhk_sysu(root, 'test')

    def test_a_box_that_is_nobodys(self, root):
        """The peers skip it silently; here it is a warning."""
        path = root / 'annotation/Images.mat'
        table = loadmat(path)['Img']
        people = table[0, 1]['box']
        people[0, 0]['idlocate'] = np.array([[3, 3, 9, 9]])
        savemat(path, {'Img': table})
        with pytest.warns(UserWarning, match=r'no box of s2\.jpg equals .* stays unlabelled'):
            scenes = read_cuhk_sysu(root, 'train')
        assert len(scenes) == 6

    @pytest.mark.parametrize('box', [[1, 2, 3], [1.0, 2.0, 3.0, np.nan]])
    def test_a_box_that_is_none(self, root, box):
        path = root / 'annotation/Images.mat'
        table = loadmat(path)['Img']
        table[0, 1]['box'][0, 0]['idlocate'] = np.array([box])
        savemat(path, {'Img': table})
        with pytest.raises(DataError, match=r'Images\.mat, field box of s2\.jpg: a box must be 4'):
            read_cuhk_sysu(root, 'train')

    def test_no_images(self, root):
        table = loadmat(root / 'annotation/Images.mat')['Img']
        savemat(root / 'annotation/Images.mat', {'Img': table[:, :0]})
        with pytest.raises(DataError, match=r'Images\.mat, field Img: expected at least one'):
            read_cuhk_sysu(root, 'train')


class TestPrw:
    @pytest.fixture
    def root(self, tmp_path):
        return make_fake_prw(tmp_path, images=False)

    @pytest.mark.parametrize('file', ['frame_test.mat', 'ID_train.mat'])
    @pytest.mark.parametrize('how', ['missing', 'no readable', 'must have a variable'])
    def test_broken_file(self, root, file, how):
        with pytest.raises(DataError, match=damage(root / file, how)):
            read_prw(root, 'test')

    def test_frames(self, root):
        path = min(root.glob('annotations/c1*.mat'))
        path.unlink()
        with pytest.raises(DataError, match=rf'{path.name} is missing'):
            read_prw(root, 'train')
        savemat(path, {'box_new': np.ones((2, 4))})
        with pytest.raises(DataError, match=rf'{path.name}: expected rows of 5 numbers'):
            read_prw(root, 'train')
        savemat(path, {'box_new': np.array([[1, 2, 3, np.nan, 5]])})
        with pytest.raises(DataError, match=rf'{path.name}: a row holds a number that is not'):
            read_prw(root, 'train')
        savemat(path, {'boxes': np.ones((2, 5))})
        with pytest.raises(DataError, match='must have a variable box_new or anno_file or'):
            read_prw(root, 'train')
        savemat(root / 'frame_train.mat', {'img_index_train': np.empty((0, 1), object)})
        with pytest.raises(DataError, match=r'frame_train\.mat, field img_index_train'):
            read_prw(root, 'train')

    def test_names(self, root):
        with pytest.raises(DataError, match="split must be 'train' or 'test', but got 'val'"):
            read_prw(root, 'val')
        with pytest.raises(DataError, match="unknown PRW protocol 'gallery_50'"):
            prw_protocols(root, ['gallery_50'])
        with pytest.raises(DataError, match=r'd1s1\.jpg: expected a name like'):
            camera_of('d1s1.jpg')

    @pytest.mark.parametrize(
        ('text', 'words'),
        [
            ('', 'expected at least one query'),
            ('479 1 2 3 c1s1_001001\n', 'line 1: expected "id x y w h frame"'),
            ('479 1 2 b 4 c1s1_001001\n', 'line 1: expected "id x y w h frame"'),
            ('\n479 1 2 3 4 c1s1_999999\n', r'frame c1s1_999999\.jpg is no test frame'),
        ],
    )
    def test_queries(self, root, text, words):
        (root / 'query_info.txt').write_text(text)
        with pytest.raises(DataError, match=rf'query_info\.txt.*{words}'):
            prw_protocols(root)
        (root / 'query_info.txt').unlink()
        with pytest.raises(DataError, match=r'query_info\.txt is missing; docs/datasets\.md'):
            prw_protocols(root)
