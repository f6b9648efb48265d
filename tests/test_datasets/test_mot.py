"""MOTChallenge: reader, data set, held-out people, conversion."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from mmclsa.datasets.coco_export import queries_to_json, scenes_to_coco
from mmclsa.datasets.mot_challenge import IdentitySplit, MOTChallengeDataset, first_frame_queries
from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.readers.mot import read_mot_sequence, read_mot_sequences
from mmclsa.datasets.transforms import LoadSceneImage
from mmclsa.errors import ConfigError, DataError
from mmclsa.media import VideoReader
from mmclsa.structures import Scene
from tests.fakes import make_fake_mot
from tests.helpers import SHARED, needs_shared


def people(scenes):
    ids = np.concatenate([s.person_ids[~s.ignore] for s in scenes])
    return set(ids[ids >= 0].tolist()), len(ids)


@needs_shared
def test_real_sequences_have_the_documented_counts():
    sequences = read_mot_sequences(SHARED / 'data', ['mot17_mini/*', 'tud_campus'])
    assert len(sequences) == 8
    mot17 = [scene for sequence in sequences[:7] for scene in sequence.scenes]
    ids, boxes = people(mot17)
    assert (len(ids), boxes) == (137, 814)
    tud, boxes = people(sequences[7].scenes)
    assert (len(tud), boxes, len(sequences[7].scenes)) == (8, 359, 71)
    assert ids | tud == set(range(145))
    assert not ids & tud


def write_gt(tmp_path, *lines):
    """Write lines for two pictures of 160 x 120."""
    folder = make_fake_mot(tmp_path, num_frames=2)
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(lines))
    return folder


def test_lines_become_people_ignored_or_nothing(tmp_path):
    folder = write_gt(
        tmp_path,
        '1,7,10,10,20,30,1,1,0.9',  # a person
        '1,8,10,10,20,30,0,1,0.9',  # not to be counted
        '1,9,10,10,20,30,1,1,0.1',  # hardly visible
        '1,10,10,10,20,9,1,1,1',  # tiny
        '1,11,10,10,20,30,0,8,1',  # a distractor
        '1,12,10,10,20,30,1,3,1',  # a car
        '2,7,-5,-5,20,300,1,1,0.9',  # reaches out of the picture
        '2,8,200,10,20,30,1,1,0.9',  # outside of it
    )
    first, second = read_mot_sequence(folder, 's', min_visibility=0.2, min_height=10).scenes
    assert first.image == 's/img1/000001.jpg'
    assert first.person_ids.tolist() == [7, 8, 9, 10, 11]
    assert first.ignore.tolist() == [False, True, True, True, True]
    assert first.boxes[0].tolist() == [10, 10, 30, 40]
    assert second.boxes.tolist() == [[0, 0, 15, 120]]


def test_mot15_columns_are_no_classes(tmp_path):
    folder = write_gt(tmp_path, '1,1,10,10,20,30,1,7.5,3.2,-1', '1,2,10,10,20,30,0,-1,-1,-1')
    scene = read_mot_sequence(folder).scenes[0]
    assert scene.ignore.tolist() == [False, True]


def test_frames_without_people_are_scenes(tmp_path):
    folder = write_gt(tmp_path, '1,1,10,10,20,30,1,1,1')
    assert [len(s.boxes) for s in read_mot_sequence(folder).scenes] == [1, 0]


def test_picture_size_without_seqinfo(tmp_path):
    for video in (False, True):
        folder = make_fake_mot(tmp_path, f's{video}', video=video)
        (folder / 'seqinfo.ini').unlink()
        scene = read_mot_sequence(folder).scenes[0]
        assert (scene.width, scene.height) == (160, 120)


def test_frames_of_every_format_that_is_read(tmp_path):
    folder = make_fake_mot(tmp_path, num_frames=2)
    for path in sorted((folder / 'img1').iterdir()):
        Image.open(path).save(path.with_suffix('.TIFF'))
        path.unlink()
    (folder / 'seqinfo.ini').unlink()
    scenes = read_mot_sequence(folder, 's').scenes
    assert [scene.image for scene in scenes] == ['s/img1/000001.TIFF', 's/img1/000002.TIFF']
    assert (scenes[0].width, scenes[0].height) == (160, 120)


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('1,1,10,x,20,30,1,1,1', 'gt.txt line 1 has a column that is no number'),
        ('1,1,10', 'at least 7 finite columns'),
        ('1,1,nan,10,20,30,1,1,1', 'at least 7 finite columns'),
        ('-1,1,10,10,20,30,1,1,1', 'frames count from 1'),
        ('', 'has no people'),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, words):
    with pytest.raises(DataError, match=words):
        read_mot_sequence(write_gt(tmp_path, line))


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(DataError, match='nowhere is missing'):
        read_mot_sequence(tmp_path / 'nowhere')
    with pytest.raises(DataError, match='no MOTChallenge sequence fits'):
        read_mot_sequences(tmp_path, ['MOT*'])
    folder = make_fake_mot(tmp_path)
    shutil.rmtree(folder / 'img1')
    with pytest.raises(DataError, match='needs frames in img1/ or one video'):
        read_mot_sequence(folder)
    folder = make_fake_mot(tmp_path)
    (folder / 'seqinfo.ini').write_text('imWidth=3')
    with pytest.raises(DataError, match='no ini file'):
        read_mot_sequence(folder)
    (folder / 'seqinfo.ini').write_text('[Sequence]\nimWidth=wide\nimHeight=3')
    with pytest.raises(DataError, match='is no number'):
        read_mot_sequence(folder)
    (folder / 'gt' / 'gt.txt').unlink()
    with pytest.raises(DataError, match=r'gt.txt is missing or unreadable'):
        read_mot_sequence(folder)


def test_folders_and_videos_mix(tmp_path):
    make_fake_mot(tmp_path, 'a', num_ids=3)
    make_fake_mot(tmp_path, 'b', num_ids=2, video=True, mot15=True, seed=3)
    pipeline = [dict(type='LoadSceneImage')]
    dataset = MOTChallengeDataset(
        ['a', 'b'], data_root=str(tmp_path), pipeline=pipeline, num_identities=5
    )
    assert dataset.num_identities == 5
    assert [dataset[i]['cam_id'] for i in (0, 9)] == [0, 1]
    assert dataset[9]['img_id'] == 'b/b.avi#000005'
    np.testing.assert_array_equal(dataset[9]['img'], VideoReader(tmp_path / 'b/b.avi')[4])
    assert {i['person_id'] for i in dataset[9]['instances']} <= {3, 4}
    with pytest.raises(ConfigError, match=r'num_identities is 4 .* have 5 identities'):
        MOTChallengeDataset(['a', 'b'], data_root=str(tmp_path), num_identities=4)


def test_listed_frame_that_is_absent(tmp_path):
    folder = make_fake_mot(tmp_path, 'a')
    (folder / 'img1' / '000002.jpg').unlink()
    with pytest.raises(DataError, match=r'a/img1/000002.jpg is missing; docs/datasets.md'):
        MOTChallengeDataset(['a'], data_root=str(tmp_path))
    dataset = MOTChallengeDataset(['a'], data_root=str(tmp_path), check_images=False)
    with pytest.raises(DataError, match=r'000002.jpg cannot be read'):
        LoadSceneImage()(dataset.get_data_info(1))


def scene(image, ids, cam_id=0):
    count = len(ids)
    boxes = np.tile([0.0, 0, 10, 20], (count, 1)) + np.arange(count)[:, None]
    return Scene(image, boxes, np.array(ids), np.zeros(count, bool), None, cam_id=cam_id)


def test_split_of_identities():
    scenes = [scene(f'{i}.jpg', [i, i + 1, -1]) for i in range(20)]
    train = IdentitySplit(0.25, 'train').apply(scenes)
    val = IdentitySplit(0.25, 'val').apply(scenes)
    seen, held_out = people(train)[0], people(val)[0]
    assert len(held_out) == 5
    assert seen | held_out == set(range(21))
    assert not seen & held_out
    for before, trained, tested in zip(scenes, train, val):
        gone = np.isin(before.person_ids, list(held_out))
        # Held-out people are no negatives in training, the others are people in testing.
        np.testing.assert_array_equal(trained.ignore, gone)
        np.testing.assert_array_equal(tested.person_ids >= 0, gone)
        assert not tested.ignore.any()
    other = people(IdentitySplit(0.25, 'val', seed=1).apply(scenes))[0]
    assert other != held_out


def test_split_refuses_nonsense():
    with pytest.raises(ConfigError, match='holdout must lie in'):
        IdentitySplit(1.0, 'train')
    with pytest.raises(ConfigError, match="must be 'train' or 'val'"):
        IdentitySplit(0.5, 'test')


def test_first_frame_queries():
    scenes = [
        scene('a1', [0, 1]), scene('a2', [0, 2]), scene('a3', [0]), scene('a4', [2]),
        scene('b1', [3], cam_id=1), scene('b2', [3], cam_id=1),
    ]  # fmt: skip
    every = first_frame_queries(scenes)
    # Person 1 is nowhere else.
    assert [(q.person_id, q.image, q.gallery) for q in every] == [
        (0, 'a1', None), (2, 'a2', None), (3, 'b1', None),
    ]  # fmt: skip
    apart = first_frame_queries(scenes, min_gap=2)
    assert [(q.person_id, q.gallery) for q in apart] == [
        (0, ['a3', 'a4', 'b1', 'b2']), (2, ['a4', 'b1', 'b2']),
    ]  # fmt: skip
    often = first_frame_queries(scenes, query_every=2)
    assert [(q.person_id, q.image) for q in often] == [
        (0, 'a1'), (0, 'a3'), (2, 'a2'), (3, 'b1'),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match='min_gap'):
        first_frame_queries(scenes, 0)
    with pytest.raises(ConfigError, match='query_every'):
        first_frame_queries(scenes, query_every=-1)


def test_test_mode_lists_the_queries(tmp_path):
    make_fake_mot(tmp_path, 'a', num_ids=4)
    split = dict(holdout=0.5, part='val')
    dataset = MOTChallengeDataset(
        ['a'], data_root=str(tmp_path), test_mode=True, identity_split=split
    )
    (protocol,) = dataset.metainfo['protocols']
    assert protocol.name == 'first_frame'
    listed = [(q['query_id'], i['img_id']) for i in dataset for q in i['queries']]
    images = [protocol.images[i] for i in protocol.query_images]
    assert sorted(listed) == list(zip(protocol.query_ids.tolist(), images))
    assert len(listed) == 2
    assert len(dataset.metainfo['scenes']) == 5
    for query, own in enumerate(images):
        found, boxes = protocol.truth(query)
        assert len(protocol.gallery(query)) == 4
        assert own not in [protocol.images[i] for i in found]
        for image, box in zip(found, boxes):
            people = dataset.get_data_info(int(image))['instances']
            (match,) = [p for p in people if p['bbox'] == box.tolist()]
            assert match['person_id'] == protocol.person_ids[query]


def test_export_to_coco_reads_back(tmp_path):
    make_fake_mot(tmp_path, 'a')
    make_fake_mot(tmp_path, 'b', video=True)
    scenes = [s for q in read_mot_sequences(tmp_path, ['a', 'b']) for s in q.scenes]
    queries = first_frame_queries(scenes, min_gap=2)
    (tmp_path / 'ann.json').write_text(json.dumps(scenes_to_coco(scenes)))
    (tmp_path / 'p.json').write_text(json.dumps(queries_to_json('t', queries, scenes)))
    again = read_coco(tmp_path / 'ann.json')
    assert len(again) == len(scenes)
    for before, after in zip(scenes, again):
        assert (before.image, before.cam_id) == (after.image, after.cam_id)
        np.testing.assert_allclose(after.boxes, before.boxes)
        np.testing.assert_array_equal(after.person_ids, before.person_ids)
        np.testing.assert_array_equal(after.ignore, before.ignore)
    protocol = coco_protocol(tmp_path / 'p.json', again)
    assert protocol.person_ids.tolist() == [q.person_id for q in queries]


def test_export_to_coco_has_ids_where_others_keep_them(tmp_path):
    """CVAT and FiftyOne keep attributes; a box of nobody must not get an id there."""
    nobody = scene('b.jpg', [-1, 3])
    content = scenes_to_coco([scene('a.jpg', [4]), replace(nobody, track_ids=np.array([7, -1]))])
    found = [annotation['attributes'] for annotation in content['annotations']]
    assert found == [{'person_id': 4, 'track_id': 4}, {'track_id': 7}, {'person_id': 3}]
    assert 'track_id' not in content['annotations'][0]
    assert [a['person_id'] for a in content['annotations']] == [4, -1, 3]
    (tmp_path / 'a.json').write_text(json.dumps(content))
    again = read_coco(tmp_path / 'a.json')
    assert [s.person_ids.tolist() for s in again] == [[4], [-1, 3]]


def test_export_to_coco_survives_cvat():
    """CVAT keeps a label's attributes and drops what else an annotation has."""
    nobody = replace(scene('b.jpg', [-1, 3]), track_ids=np.array([7, 8]))
    scenes = [scene('a.jpg', [4, 3]), nobody, scene('c.jpg', [])]
    content = scenes_to_coco(scenes)
    kept = ('id', 'image_id', 'category_id', 'bbox', 'area', 'segmentation', 'iscrowd')
    for annotation in content['annotations']:
        attributes = dict(annotation['attributes'], occluded=False)
        rest = {name: annotation[name] for name in kept}
        annotation.clear()
        annotation.update(rest, attributes=attributes)
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'a.json'
        path.write_text(json.dumps(content))
        again = read_coco(path)
    assert [s.person_ids.tolist() for s in again] == [[4, 3], [-1, 3], []]
    for before, after in zip(scenes, again):
        np.testing.assert_allclose(before.boxes, after.boxes)
