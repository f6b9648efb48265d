"""MOTChallenge folders as other tools write them: CVAT, trackers, editors, operating systems."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmclsa.datasets.mot_challenge import MOTChallengeDataset
from mmclsa.datasets.readers import mot_frames
from mmclsa.datasets.readers.mot import describe_reading, read_mot_sequence, read_mot_sequences
from mmclsa.datasets.readers.mot_folders import find_sequences
from mmclsa.datasets.readers.mot_text import read_gt_lines, split_columns
from mmclsa.errors import DataError
from mmclsa.media import VideoReader
from mmclsa.utils import progress
from tests.helpers import run_python

SIZE = (160, 120)
INI = (
    '[Sequence]\nname=s\nimDir=img1\nframeRate=25\nseqLength=4\nimWidth=160\nimHeight=120\n'
    'imExt=.jpg\n'
)
TOOL = 'tools/dataset_converters/mot_to_coco.py'


def rows(form='{f},{t},{x},30,20,40,1,1,1.0', frames=4, people=(1, 2, 3)):
    return ''.join(
        form.format(f=f, t=t, x=30 * n + f) + '\n'
        for f in range(1, frames + 1)
        for n, t in enumerate(people)
    )


def write_picture(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    path.write_bytes(cv2.imencode(path.suffix.lower(), picture)[1].tobytes())


def write_text(path, text, encoding='utf-8'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def sequence(root, text=None, name='s', frames='img1/{:06d}.jpg', numbers=range(1, 5), ini=INI):
    folder = root / name
    write_text(folder / 'gt' / 'gt.txt', rows() if text is None else text)
    if ini:
        write_text(folder / 'seqinfo.ini', ini)
    for number in numbers:
        write_picture(folder / frames.format(number))
    return folder


def write_video(folder, frames=100, kept=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 25, SIZE)
    rng = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    return path


def ids_of(read):
    return sorted({int(p) for s in read.scenes for p in s.person_ids[~s.ignore]})


class TestLabels:
    """CVAT and Datumaro: column 8 is a place in gt/labels.txt."""

    def labelled(self, root, labels, text, encoding='utf-8'):
        folder = sequence(root, text)
        write_text(folder / 'gt' / 'labels.txt', labels, encoding)
        return folder

    @pytest.mark.parametrize(
        'labels',
        [
            'car\nperson\n',
            'car\r\nPerson\r\n',
            'car\nPedestrian',
            '\ufeffcar\nhuman\n\n',
            '\nPeople\ndog',  # a class without a name
        ],
    )
    def test_people_are_where_the_labels_say(self, tmp_path, labels):
        car = '1,9,100,30,20,40,1,1,1.0\n'
        text = rows('{f},{t},{x},30,20,40,1,2,1.0') + car
        read = read_mot_sequence(self.labelled(tmp_path, labels, text))
        assert ids_of(read) == [1, 2, 3]
        assert read.left_out == {'lines of other classes': 1}
        assert all(len(scene.boxes) == 3 for scene in read.scenes)

    def test_names_of_mot_keep_their_meaning(self, tmp_path):
        labels = 'distractor\nstatic_person\npedestrian\ncar\n'
        text = ''.join(f'1,{c},{20 * c},30,15,40,1,{c},1\n' for c in (1, 2, 3, 4))
        scene = read_mot_sequence(self.labelled(tmp_path, labels, text)).scenes[0]
        assert scene.person_ids.tolist() == [1, 2, 3]
        assert scene.ignore.tolist() == [True, True, False]

    def test_ten_columns_have_a_class_where_labels_are(self, tmp_path):
        text = rows('{f},{t},{x},30,20,40,1,2,1.0,-1') + '1,9,100,30,20,40,1,1,1.0,-1\n'
        folder = self.labelled(tmp_path, 'car\nperson', text)
        assert ids_of(read_mot_sequence(folder)) == [1, 2, 3]

    @pytest.mark.parametrize(
        ('labels', 'kind', 'words'),
        [
            ('car\ndog\n', 1, 'must have a class of people, called person, pedestrian'),
            ('', 1, 'but has no names'),
            ('car\nperson\n', 3, 'has class 3, but labels.txt beside it names 2 classes, from 1'),
            ('person\ncar\n', 0, 'has class 0, but labels.txt'),  # counted from 0
            ('person\ncar\n', 1.5, 'has class 1.5, which is no whole number'),
            (
                'person\ncar\n',
                2,
                r'no people \(flag 1, class 1\); its lines: 12 of class 2 \(car\)',
            ),
        ],
    )
    def test_what_cannot_be_told_is_refused(self, tmp_path, labels, kind, words):
        folder = self.labelled(tmp_path, labels, rows('{f},{t},{x},30,20,40,1,' + f'{kind},1'))
        with pytest.raises(DataError, match=words):
            read_mot_sequence(folder)

    def test_classes_in_ten_columns_without_labels(self, tmp_path):
        """VisDrone's column 8 is a class; taken as MOT15's its cars would be people."""
        visdrone = ''.join(f'{f},{c},{20 * c},30,15,40,1,{c},0,1\n' for f in (1, 2) for c in (1, 4))
        with pytest.raises(DataError, match=r'the eighth seems to be a class \(1, 4\)'):
            read_mot_sequence(sequence(tmp_path, visdrone))
        for world in ('7.5,3.2,-1', '-1,-1,-1', '3,1.7,0', '1,1,1', '0,0,0'):
            text = rows('{f},{t},{x},30,20,40,1,' + world)
            assert ids_of(read_mot_sequence(sequence(tmp_path, text))) == [1, 2, 3]

    def test_a_tracker_that_knows_no_classes(self, tmp_path):
        """-1 in columns 8 and 9, and a confidence for a flag."""
        folder = sequence(tmp_path, rows('{f},{t},{x},30,20,40,0.87,-1,-1'))
        read = read_mot_sequence(folder, min_visibility=0.5)
        assert ids_of(read) == [1, 2, 3]
        assert not any(scene.ignore.any() for scene in read.scenes)

    def test_a_tracker_with_its_detectors_classes(self, tmp_path):
        """BoxMOT: blanks, confidence cut to 0, COCO's classes from 0, and -1."""
        text = rows('{f} {t} {x} 30 20 40 0 0 -1') + '1 9 100 30 20 40 0 2 -1\n'
        read = read_mot_sequence(sequence(tmp_path, text))
        assert ids_of(read) == [1, 2, 3]
        assert read.left_out == {'lines of other classes': 1}
        assert 'which count from 0: 0 is taken as people' in read.disagreements[0]
        text = rows('{f},{t},{x},30,20,40,0,0,0.5')  # with a visibility it is MOTChallenge's class
        with pytest.raises(DataError, match='12 of class 0'):
            read_mot_sequence(sequence(tmp_path, text))

    def test_everybody_is_ignored(self, tmp_path):
        read = read_mot_sequence(sequence(tmp_path, rows('{f},{t},{x},30,20,40,0,1,1')))
        assert ids_of(read) == []
        assert 'everybody is ignored: column 7 of gt.txt is 0' in read.disagreements[0]


class TestIds:
    def test_nobody_in_particular_is_not_one_person(self, tmp_path):
        text = rows() + ''.join(
            f'{f},{t},130,60,20,40,1,1,1\n' for f in (1, 2) for t in (-1, 0, -7)
        )
        (read,) = read_mot_sequences(tmp_path, [sequence(tmp_path, text).name])
        assert ids_of(read) == [-1, 0, 1, 2]
        assert read.scenes[0].person_ids.tolist() == [0, 1, 2, -1, -1, -1]
        assert '6 of 18 boxes of people have an id of 0 or less' in read.disagreements[0]
        dataset = MOTChallengeDataset(['s'], data_root=str(tmp_path), pipeline=[])
        assert dataset.num_identities == 3

    def test_detections_alone_have_no_identities(self, tmp_path):
        sequence(tmp_path, rows('{f},-1,{x},30,20,40,0.9,-1,-1,-1'))
        read = read_mot_sequence(tmp_path / 's')
        assert ids_of(read) == [-1]
        assert 'nobody has an identity there' in read.disagreements[0]
        with pytest.raises(DataError, match='nobody with an identity is seen in two frames'):
            MOTChallengeDataset(['s'], data_root=str(tmp_path), test_mode=True, pipeline=[])

    @pytest.mark.parametrize(
        'ids',
        [
            (2**53, 2**53 + 1, 2**53 + 2),  # the same as float64
            (1, 2**63 - 2, 2**63 - 1),
            (5, 2**64 - 2, 2**64 - 1),  # without a sign
        ],
    )
    def test_ids_of_64_bits(self, tmp_path, ids):
        (read,) = read_mot_sequences(tmp_path, [sequence(tmp_path, rows(people=ids)).name])
        assert [scene.person_ids.tolist() for scene in read.scenes] == [[0, 1, 2]] * 4

    def test_an_id_twice_in_a_frame(self, tmp_path):
        text = rows() + '2,1,130,60,20,40,1,1,1\n' + '3,-1,1,1,9,9,1,1,1\n' * 2
        read = read_mot_sequence(sequence(tmp_path, text))
        assert read.disagreements[0] == '1 of its frames show an id twice'
        assert len(read.scenes[1].boxes) == 4

    def test_ids_written_as_floats(self, tmp_path):
        text = '1.0,1.0,3,30,20,40,1,1,1\n2e0,1e0,3,30,2e1,4.0E+1,1.,1.,1\n'
        read = read_mot_sequence(sequence(tmp_path, text))
        assert [len(scene.boxes) for scene in read.scenes] == [1, 1, 0, 0]
        assert read.scenes[1].boxes.tolist() == [[3, 30, 23, 70]]
        assert ids_of(read) == [1]

    @pytest.mark.parametrize(
        ('line', 'words'),
        [
            ('1,1.5,3,30,20,40,1,1,1', 'line 1 has id 1.5, which is no whole number'),
            ('1.5,1,3,30,20,40,1,1,1', 'line 1 has frame 1.5, which is no whole number'),
            ('1,1_2,3,30,20,40,1,1,1', 'a column that is no number'),
            ('1,1,,30,20,40,1,1,1', 'a column that is no number'),
            ('1,1,inf,30,20,40,1,1,1', 'at least 7 finite columns'),
            ('1;2', 'at least 7 finite columns'),
        ],
    )
    def test_what_is_no_number_of_its_kind(self, tmp_path, line, words):
        with pytest.raises(DataError, match=words):
            read_mot_sequence(sequence(tmp_path, line))


class TestSeparators:
    @pytest.mark.parametrize(
        'form',
        [
            '{f} {t} {x} 30 20 40 1 1 1.0',
            '  {f}   {t}  {x} 30 20 40 1 1 1.0  ',
            '{f}\t{t}\t{x}\t30\t20\t40\t1\t1\t1.0',
            '{f},\t{t},\t{x},\t30,\t20,\t40,\t1,\t1,\t1.0',
            '{f}, {t}, {x}, 30, 20, 40, 1, 1, 1.0',
            '{f},{t},{x},30,20,40,1,1,1.0,',
            '{f},{t},{x},30,20,40,1,1,1.0,,,',
            '{f};{t};{x};30;20;40;1;1;1.0;',
            '{f};{t};{x},0;30,0;20,0;40,0;1;1;1,0',  # a spreadsheet of Europe
            '{f}\t{t}\t{x},0\t30,0\t20,0\t40,0\t1\t1\t1,0',
            '"{f}","{t}","{x}","30","20","40","1","1","1.0"',
            '{f},{t},{x} 30 20 40,1,1,1.0',
            '\n{f},{t},{x},30,20,40,1,1,1.0\r\n\r',
        ],
    )
    def test_columns(self, tmp_path, form):
        expected = read_mot_sequence(sequence(tmp_path, name='plain'), 's').scenes
        found = read_mot_sequence(sequence(tmp_path, rows(form)), 's').scenes
        for one, two in zip(expected, found):
            np.testing.assert_array_equal(one.boxes, two.boxes)
            np.testing.assert_array_equal(one.person_ids, two.person_ids)
            assert one.ignore.tolist() == two.ignore.tolist()

    def test_an_empty_column_within_is_not_passed_over(self):
        assert split_columns('1\t\t3') == ['1', '', '3']
        assert split_columns('1,,3,,') == ['1', '', '3']

    @pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-16-le'])
    def test_byte_order_marks(self, tmp_path, encoding):
        mark = '\ufeff' if encoding == 'utf-16-le' else ''
        folder = sequence(tmp_path)
        for name in ('gt/gt.txt', 'seqinfo.ini'):
            write_text(folder / name, mark + (folder / name).read_text(), encoding)
        write_text(folder / 'gt/labels.txt', f'{mark}person\n', encoding)
        read = read_mot_sequence(folder)
        assert ids_of(read) == [1, 2, 3]
        assert not read.disagreements

    @pytest.mark.parametrize(
        'header',
        [
            'frame,id,bb_left,bb_top,bb_width,bb_height,conf,x,y\n',
            '# frame_id, track_id, x, y, w, h, "not ignored", class_id, visibility\n',
            'Frame Id X Y Width Height Conf Class Vis\n\n',
            '\n% made by hand\n',
        ],
    )
    def test_headers_and_comments(self, tmp_path, header):
        assert len(read_gt_lines(sequence(tmp_path, header + rows()) / 'gt' / 'gt.txt')) == 12

    @pytest.mark.parametrize(
        ('header', 'words'),
        [
            ('id,frame,x,y,w,h,conf', 'names columns in another order'),
            ('frame,x,y,w,h,id,conf', 'names columns in another order'),
            ('frame,id,x1,y1,x2,y2,conf', 'names the corner x2, y2'),
            ('frame,id,xmin,ymin,xmax,ymax,conf', 'names the corner xmax, ymax'),
        ],
    )
    def test_headers_of_other_columns(self, tmp_path, header, words):
        with pytest.raises(DataError, match=words):
            read_mot_sequence(sequence(tmp_path, f'{header}\n{rows()}'))

    def test_a_header_further_down_is_a_fault(self, tmp_path):
        with pytest.raises(DataError, match='line 13 has a column that is no number'):
            read_mot_sequence(sequence(tmp_path, rows() + 'frame,id,x,y,w,h,conf\n'))


class TestFrames:
    @pytest.mark.parametrize(
        ('frames', 'numbers'),
        [
            ('img1/frame_{:06d}.jpg', range(1, 5)),
            ('img1/cam2-{}.jpg', range(1, 5)),  # no zeros: 10 comes before 2
            ('img1/{}.JPG', range(1, 5)),
            ('img1/{:06d}.PNG', range(1, 5)),
            ('img1/frame_{:06d}.jpg', range(4)),  # counted from 0, gt.txt from 1
            ('img1/{}.jpg', range(4)),
        ],
    )
    def test_names_of_frames(self, tmp_path, frames, numbers):
        read = read_mot_sequence(sequence(tmp_path, frames=frames, numbers=numbers), 's')
        assert [s.image for s in read.scenes] == [f's/{frames.format(n)}' for n in numbers]
        assert [len(s.boxes) for s in read.scenes] == [3, 3, 3, 3]
        assert [s.boxes[0, 0] for s in read.scenes] == [1, 2, 3, 4]

    def test_order_without_padding(self, tmp_path):
        folder = sequence(tmp_path, rows(frames=12), frames='img1/f{}.jpg', numbers=range(1, 13))
        read = read_mot_sequence(folder, 's')
        assert [s.image for s in read.scenes][8:11] == [
            's/img1/f9.jpg', 's/img1/f10.jpg', 's/img1/f11.jpg',
        ]  # fmt: skip
        assert [s.boxes[0, 0] for s in read.scenes] == list(range(1, 13))

    def test_gt_counts_from_0(self, tmp_path):
        text = ''.join(f'{f},1,{f + 1},30,20,40,1,1,1\n' for f in range(4))
        for numbers in (range(4), range(1, 5)):
            read = read_mot_sequence(sequence(tmp_path, text, f's{numbers[0]}', numbers=numbers))
            assert [s.boxes[0, 0] for s in read.scenes] == [1, 2, 3, 4]
        assert 'gt.txt counts frames from 0, its pictures from 1' in read.disagreements[0]
        write_text(tmp_path / 'v' / 'gt' / 'gt.txt', text)
        write_video(tmp_path / 'v', 4)
        read = read_mot_sequence(tmp_path / 'v')
        assert read.scenes[0].image == 'v/clip.avi#000001'
        assert [s.boxes[0, 0] for s in read.scenes] == [1, 2, 3, 4]

    def test_pictures_from_0_where_the_last_shows_nobody(self, tmp_path):
        """Numbers are taken as they are, and that is said: nothing can decide it."""
        read = read_mot_sequence(sequence(tmp_path, rows(frames=3), numbers=range(4)))
        assert [len(s.boxes) for s in read.scenes] == [0, 3, 3, 3]
        assert 'its pictures count from 0' in read.disagreements[0]

    def test_what_lies_among_the_frames(self, tmp_path):
        folder = sequence(tmp_path)
        for name in ('._000001.jpg', 'thumb_000001.jpg', 'cover.png'):
            write_picture(folder / 'img1' / name)
        (folder / 'img1' / 'Thumbs.db').write_bytes(b'')
        (folder / 'img1' / '.ipynb_checkpoints').mkdir()
        (folder / 'img1' / '000009.jpg').mkdir()
        read = read_mot_sequence(folder)
        assert len(read.scenes) == 4
        assert read.left_out == {'pictures without a frame number': 4}

    def test_two_pictures_of_one_frame(self, tmp_path):
        folder = sequence(tmp_path)
        write_picture(folder / 'img1' / '1.png')
        with pytest.raises(DataError, match=r'000001.jpg and 1.png beside it are both frame 1'):
            read_mot_sequence(folder)

    def test_pictures_without_numbers(self, tmp_path):
        folder = sequence(tmp_path, frames='img1/{}_left.jpg')
        with pytest.raises(DataError, match='have no frame numbers at the end of their names'):
            read_mot_sequence(folder)

    def test_numbers_that_are_times(self, tmp_path):
        folder = sequence(tmp_path, frames='img1/14036365797{:08d}.jpg')
        with pytest.raises(DataError, match='frames 1 to 4, but those that can be read are 14036'):
            read_mot_sequence(folder)

    @pytest.mark.parametrize('folder', ['img1', 'frames', '.'])
    def test_folder_of_frames(self, tmp_path, folder):
        ini = INI.replace('imDir=img1', 'imDir=.\\frames\\')
        sequence(tmp_path, frames=folder + '/{:06d}.jpg', ini=ini)
        read = read_mot_sequence(tmp_path / 's')
        assert read.scenes[0].image == f's/{folder}/000001.jpg'.replace('/./', '/')
        told = {'img1': 'but are in the folder img1', '.': "but are in the sequence's own folder"}
        assert told.get(folder, '') in ' '.join(read.disagreements)
        assert bool(read.disagreements) == (folder != 'frames')
        dataset = MOTChallengeDataset(['s'], data_root=str(tmp_path), pipeline=[])
        assert len(dataset) == 4

    def test_a_broken_picture_is_a_scene(self, tmp_path):
        folder = sequence(tmp_path)
        (folder / 'img1' / '000001.jpg').write_bytes(b'')
        read = read_mot_sequence(folder)
        assert (read.scenes[0].width, read.scenes[0].height) == SIZE
        assert read.disagreements == ['1 of its pictures cannot be read']
        for number in range(2, 5):
            (folder / 'img1' / f'{number:06d}.jpg').write_bytes(b'GIF')
        with pytest.raises(DataError, match='none of the pictures can be read'):
            read_mot_sequence(folder)


class TestSizes:
    def test_the_picture_counts(self, tmp_path):
        """Nobody vanishes by clipping to a size that a text says."""
        ini = INI.replace('imWidth=160', 'imWidth=50').replace('imHeight=120', 'imHeight=40')
        read = read_mot_sequence(sequence(tmp_path, ini=ini))
        assert [len(s.boxes) for s in read.scenes] == [3, 3, 3, 3]
        assert {(s.width, s.height) for s in read.scenes} == {SIZE}
        assert read.disagreements == ['seqinfo.ini says 50 x 40, but the pictures are 160 x 120']

    def test_each_picture_has_its_own(self, tmp_path):
        folder = sequence(tmp_path)
        write_picture(folder / 'img1' / '000003.jpg', (60, 120))
        read = read_mot_sequence(folder)
        assert [s.width for s in read.scenes] == [160, 160, 60, 160]
        assert read.scenes[2].boxes.tolist() == [[3, 30, 23, 70], [33, 30, 53, 70]]
        assert read.left_out == {'boxes beyond the picture': 1}
        assert 'its pictures have 2 sizes' in read.disagreements[0]

    def test_video(self, tmp_path):
        write_text(tmp_path / 'v' / 'gt' / 'gt.txt', rows())
        write_text(tmp_path / 'v' / 'seqinfo.ini', INI.replace('160', '50'))
        write_video(tmp_path / 'v', 4)
        read = read_mot_sequence(tmp_path / 'v')
        assert [len(s.boxes) for s in read.scenes] == [3, 3, 3, 3]
        assert 'seqinfo.ini says 50 x 120' in read.disagreements[0]

    def test_a_cover_beside_a_video(self, tmp_path):
        write_text(tmp_path / 'v' / 'gt' / 'gt.txt', rows())
        write_video(tmp_path / 'v', 4)
        (tmp_path / 'v' / '._clip.avi').write_bytes(b'')
        for name in ('cover.jpg', 'thumb_1.jpg'):
            write_picture(tmp_path / 'v' / name)
        read = read_mot_sequence(tmp_path / 'v')
        assert read.scenes[0].image == 'v/clip.avi#000001'
        assert len(read.scenes) == 4

    @pytest.mark.parametrize(
        'ini',
        [
            INI.replace('=', ' = ').replace('\n', '\r\n'),
            INI.replace('[Sequence]', '[sequence]').replace('160', '160.0'),
            INI + 'note=100%\nimWidth=160\n',
            '; made by hand\n[Other]\na=1\n' + INI,
        ],
    )
    def test_ini_as_people_write_it(self, tmp_path, ini):
        assert not read_mot_sequence(sequence(tmp_path, ini=ini)).disagreements

    def test_boxes_of_no_use(self, tmp_path):
        text = rows() + ''.join(
            f'1,{n},{box},1,1,1\n'
            for n, box in enumerate(
                ('10,10,0,20', '10,10,20,-3', '500,10,20,20', '10,-90,20,20', '-5,-5,20,20'), 10
            )
        )
        text += '1,20,10,10,0,0,0,7,1\n'  # an ignored one
        read = read_mot_sequence(sequence(tmp_path, text))
        assert read.left_out == {'boxes of no size': 3, 'boxes beyond the picture': 2}
        assert read.scenes[0].boxes[3:].tolist() == [[0, 0, 15, 15]]


@pytest.fixture(scope='module')
def cut_off(tmp_path_factory):
    """100 frames are announced, some 60 are there."""
    path = write_video(tmp_path_factory.mktemp('mot') / 'v', kept=0.6)
    assert VideoReader(path).num_frames == 100
    return path.parent


class TestLengths:
    """What can be read counts, whatever is announced."""

    def test_a_length_that_is_none(self, tmp_path):
        read = read_mot_sequence(sequence(tmp_path, ini=INI.replace('seqLength=4', 'seqLength=?')))
        assert read.disagreements == ['seqinfo.ini says seqLength=?, but 4 frames can be read']

    def test_pictures(self, tmp_path):
        ini = INI.replace('seqLength=4', 'seqLength=100')
        read = read_mot_sequence(sequence(tmp_path, rows(frames=6), ini=ini))
        assert len(read.scenes) == 4
        assert read.left_out == {'boxes in frames that cannot be read': 6}
        assert read.disagreements == [
            'seqinfo.ini says seqLength=100, but 4 frames can be read',
            'gt.txt lists frames 1 to 6, but 2 of them cannot be read: there are 1 to 4',
        ]

    @pytest.mark.parametrize('annotated', [50, 80])
    def test_video(self, cut_off, annotated):
        write_text(cut_off / 'gt' / 'gt.txt', rows(frames=annotated))
        dataset = MOTChallengeDataset(
            ['v'],
            data_root=str(cut_off.parent),
            test_mode=True,
            pipeline=[dict(type='LoadSceneImage')],
        )
        assert 55 < len(dataset) < 65
        assert dataset[len(dataset) - 1]['img'].shape == (120, 160, 3)
        assert 'clip.avi announces 100 frames, but' in dataset.disagreements[0]
        lost = max(0, annotated - len(dataset))
        assert dataset.left_out['boxes in frames that cannot be read'] == 3 * lost
        assert sum(len(s.boxes) for s in dataset.scenes) == 3 * (annotated - lost)

    def test_conversion(self, cut_off, tmp_path):
        write_text(cut_off / 'gt' / 'gt.txt', rows(frames=50))
        result = run_python(TOOL, cut_off.parent, tmp_path / 'out')
        assert result.returncode == 0, result.stderr
        assert 'note: v: clip.avi announces 100 frames, but' in result.stderr
        assert '150 boxes' in result.stdout

    def test_a_video_without_a_frame(self, tmp_path):
        write_text(tmp_path / 'v' / 'gt' / 'gt.txt', rows())
        write_video(tmp_path / 'v', 4)
        (tmp_path / 'v' / 'clip.avi').write_bytes(b'RIFF')
        with pytest.raises(DataError, match=r'clip\.avi is empty or broken'):
            read_mot_sequence(tmp_path / 'v')

    def test_how_far_it_is(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(progress, 'PATIENCE', -1.0)
        assert mot_frames.count_frames(write_video(tmp_path / 'v', 4)) == 4
        assert 'counting frames of clip.avi' in capsys.readouterr().err

    def test_a_video_is_counted_once(self, tmp_path, monkeypatch):
        from mmclsa.datasets import video_lengths

        monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))
        calls = []
        monkeypatch.setattr(video_lengths, 'count_frames', lambda path: calls.append(path) or 7)
        path = write_video(tmp_path / 'v', 4)
        assert [video_lengths.count_frames_once(path) for _ in range(3)] == [7, 7, 7]
        assert len(calls) == 1
        write_video(tmp_path / 'v', 6)
        assert video_lengths.count_frames_once(path) == 7
        assert len(calls) == 2
        for kept in (tmp_path / 'cache').rglob('*.json'):
            kept.write_text('{"stamp": 3')
        assert video_lengths.count_frames_once(path) == 7
        assert len(calls) == 3


class TestFolders:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ('a', 'b'):
            sequence(tmp_path / 'data', name=name)
        for name in ('__MACOSX/gt', '.ipynb_checkpoints/gt', 'test-without-gt/img1'):
            (tmp_path / 'data' / name).mkdir(parents=True)
        for name in ('__MACOSX/gt/gt.txt', '.ipynb_checkpoints/gt/gt.txt', '._a', 'Thumbs.db'):
            (tmp_path / 'data' / name).write_text('')
        return tmp_path / 'data'

    def test_a_pattern_fits_sequences_alone(self, root):
        found = find_sequences(root, ['*'])
        assert found.names == ['a', 'b']
        assert found.passed_over == ['.ipynb_checkpoints', '__MACOSX', 'test-without-gt']
        assert found.told()[0].startswith('3 folders that are hidden or without gt/gt.txt')
        assert len(read_mot_sequences(root, ['*'])) == 2

    def test_a_name_is_required(self, root):
        with pytest.raises(DataError, match=r'gt\.txt is missing or unreadable'):
            read_mot_sequences(root, ['test-without-gt'])
        with pytest.raises(
            DataError, match=r'no MOTChallenge sequence fits test-\* .*, only folders'
        ):
            read_mot_sequences(root, ['test-*'])

    def test_links_to_folders(self, root, tmp_path):
        (tmp_path / 'linked').mkdir()
        (tmp_path / 'linked' / 'c').symlink_to(root / 'a')
        (tmp_path / 'all').symlink_to(root)
        assert find_sequences(tmp_path / 'linked', ['*']).names == ['c']
        assert find_sequences(tmp_path, ['all/*']).names == ['all/a', 'all/b']
        assert find_sequences(tmp_path, ['**/a', 'linked/*']).names == ['all/a']

    def test_links_in_a_circle(self, root):
        (root / 'again').symlink_to(root)
        (root / 'a' / 'up').symlink_to(root)
        assert find_sequences(root, ['**']).names == ['a', 'b']
        assert find_sequences(root, ['*']).names == ['a', 'b']

    def test_a_sequence_is_read_once(self, root):
        """The same people twice would be two people each."""
        found = find_sequences(root, ['a', '*', './a/', '../data/b'])
        assert found.names == ['a', 'b']
        assert found.told()[-1].startswith('2 folders were named twice')

    def test_home_and_patterns(self, root, monkeypatch):
        monkeypatch.setenv('HOME', str(root.parent))
        for options in (
            dict(data_root='~/data', sequences=['*']),
            dict(data_root='~/da*', sequences=['?']),
            dict(data_root=str(root), sequences=['~/data/a', str(root / 'b')]),
            dict(data_root=str(root.parent), sequences=['**']),
            dict(data_root=str(root), sequences='*'),
        ):
            dataset = MOTChallengeDataset(pipeline=[], **options)
            assert (len(dataset), dataset.num_identities) == (8, 6)

    def test_the_folder_is_a_sequence_itself(self, root, tmp_path, run_tool_here):
        """As CVAT's export is when it is unpacked."""
        run_tool_here(TOOL, root / 'a', tmp_path / 'out')
        assert (tmp_path / 'out' / 'img' / 'img1' / '000001.jpg').is_file()

    def test_conversion_of_what_lies_elsewhere(self, root, tmp_path, run_tool_here):
        (tmp_path / 'here').mkdir()
        before = (root / 'a' / 'img1' / '000001.jpg').read_bytes()
        names = ['--sequences', root / 'a', '../data/b']
        run_tool_here(TOOL, tmp_path / 'here', tmp_path / 'out', *names)
        assert len(list((tmp_path / 'out' / 'img').rglob('*.jpg'))) == 8
        assert (root / 'a' / 'img1' / '000001.jpg').read_bytes() == before

    def test_what_was_done_is_said(self, root, capsys):
        text = (root / 'a' / 'gt' / 'gt.txt').read_text() + '1,9,10,10,0,0,1,1,1\n'
        (root / 'a' / 'gt' / 'gt.txt').write_text(text)
        found = find_sequences(root, ['*'])
        told = describe_reading(found, read_mot_sequences(root, ['*']))
        assert told[1:] == ['1 boxes of no size left out']
        logger = MMLogger.get_instance('mot-test')
        MOTChallengeDataset(['*'], data_root=str(root), pipeline=[])
        assert logger is MMLogger.get_current_instance()
        assert '1 boxes of no size left out' in capsys.readouterr().out


def test_verify_names_every_disagreement(tmp_path, run_tool_here):
    ini = INI.replace('seqLength=4', 'seqLength=9').replace('imWidth=160', 'imWidth=640')
    sequence(tmp_path, rows(frames=6) + '1,9,500,5,20,40,1,1,1\n', ini=ini)
    dataset = dict(type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['*'])
    (tmp_path / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset!r})\n')
    told = ' '.join(run_tool_here('tools/misc/verify_dataset.py', tmp_path / 'config.py').split())
    for words in (
        'seqinfo.ini says 640 x 120, but the pictures are 160 x 120',
        'seqinfo.ini says seqLength=9, but 4 frames can be read',
        'gt.txt lists frames 1 to 6, but 2 of them cannot be read',
        'boxes beyond the picture',
        'boxes in frames that cannot be read',
        'INCOMPLETE',
    ):
        assert words in told


class TestNothing:
    @pytest.mark.parametrize(
        ('text', 'words'),
        [
            ('', r'has no people \(flag 1, class 1\); its lines: none'),
            ('\n\r\n  \n', 'has no people'),
            ('frame,id,x,y,w,h,conf\n', 'has no people'),
            (rows('{f},{t},{x},30,20,40,1,3,1'), r'its lines: 12 of class 3 \(car\)'),
            (rows('{f},{t},900,30,20,40,1,1,1'), 'no people that can be used: 12 boxes beyond'),
            (rows('{f},{t},{x},30,0,40,1,1,1'), 'no people that can be used: 12 boxes of no size'),
            (None, 'only folders without gt/gt.txt'),
        ],
    )
    def test_a_sentence(self, tmp_path, text, words):
        folder = sequence(tmp_path, text)
        if text is None:
            (folder / 'gt' / 'gt.txt').unlink()
        with pytest.raises(DataError, match=words):
            MOTChallengeDataset(['*'], data_root=str(tmp_path), pipeline=[])

    def test_no_folder(self, tmp_path, run_tool_to_its_error):
        assert 'fits *' in run_tool_to_its_error(TOOL, tmp_path / 'none', tmp_path / 'out')
        (tmp_path / 'cvat.zip').write_bytes(b'PK')
        message = run_tool_to_its_error(TOOL, tmp_path / 'cvat.zip', tmp_path / 'out')
        assert 'which is a file: unpack it first' in message
