from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmclsa.datasets import CrossScaleDataset
from mmclsa.datasets.cross_scale import draw_heights
from mmclsa.errors import ConfigError
from tests.fakes import make_fake_coco, make_fake_mot

PAIRS = ((None, None), (None, 24), (24, None), (None, 16))


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


@pytest.fixture
def build(tmp_path):
    """Build it over two fake sequences of five frames and three people each."""
    for number in (1, 2):
        make_fake_mot(tmp_path, f'FAKE-0{number}', seed=number)
    inner = dict(type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['FAKE-*'])

    def make(**options):
        given = dict(pairs=PAIRS, test_mode=True, pipeline=[])
        return CrossScaleDataset(dataset=inner, **{**given, **options})

    return make


def test_everybody_is_there_at_each_height(build):
    dataset = build()
    people = sum(int((scene.person_ids >= 0).sum()) for scene in dataset.dataset.scenes)
    assert len(dataset) == 3 * people  # own, 24 and 16
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        (instance,) = info['instances']
        tall = instance['bbox'][3] - instance['bbox'][1]
        asked = info['img_id'].rpartition('/')[2]
        if asked != 'own':
            assert tall <= float(asked) + 1e-6
        picture = dataset.picture(info)
        assert abs(picture.shape[0] - tall) <= 0.3 * tall + 2.5


def test_own_height_is_the_scene_itself(build):
    dataset = build(pairs=[(None, None)], margin=0.0)
    for index in (0, 7):
        info = dataset.get_data_info(index)
        window = dataset.windows[index]
        x1, y1, x2, y2 = window.region
        whole = dataset._scene_picture(window.scene)
        assert np.array_equal(dataset.picture(info), whole[y1:y2, x1:x2])
        moved = np.array(info['instances'][0]['bbox']) + np.array([x1, y1, x1, y1])
        scene = dataset.dataset.scenes[window.scene]
        number = int(window.key.rpartition('@')[2])
        np.testing.assert_allclose(moved, scene.boxes[number])


def test_shrinking_averages_where_the_box_says(build):
    """A bright rectangle that fills the box fills the shrunk box too."""
    dataset = build(pairs=[(None, 12)], margin=0.5)
    window = dataset.windows[0]
    x1, y1, _, _ = window.region
    whole = np.zeros_like(dataset._scene_picture(window.scene))
    left, top, right, bottom = np.round(window.box).astype(int) + np.array([x1, y1, x1, y1])
    whole[top:bottom, left:right] = 255
    dataset._whole = lambda index: whole
    place = next(
        i for i in range(len(dataset)) if dataset.get_data_info(i)['img_id'].endswith('/12')
    )
    info = dataset.get_data_info(place)
    shrunk = dataset.picture(info)[:, :, 0].astype(float) / 255
    box = np.array(info['instances'][0]['bbox'])
    assert shrunk.sum() == pytest.approx(np.prod(box[2:] - box[:2]), rel=0.1)
    rows = shrunk.max(axis=1).nonzero()[0]
    assert rows[0] == pytest.approx(box[1], abs=1)
    assert rows[-1] + 1 == pytest.approx(box[3], abs=1)


@pytest.mark.parametrize('min_gap', [1, 3])
@pytest.mark.parametrize('query_every', [1, 2])
def test_protocols_equal_the_loop(build, min_gap, query_every):
    dataset = build(min_gap=min_gap, query_every=query_every)
    scenes = dataset.dataset.scenes
    assert [task.name for task in dataset.protocols] == [
        'own-to-own',
        'own-to-24',
        '24-to-own',
        'own-to-16',
    ]
    for task, (query_height, gallery_height) in zip(dataset.protocols, PAIRS):
        seen: dict[int, int] = {}
        expected = []
        for window in dataset.windows:
            count = seen[window.person_id] = seen.get(window.person_id, -1) + 1
            far = [
                other
                for other in dataset.windows
                if scenes[other.scene].cam_id != scenes[window.scene].cam_id
                or abs(other.scene - window.scene) >= min_gap
            ]
            matches = [o.image(gallery_height) for o in far if o.person_id == window.person_id]
            if count % query_every == 0 and matches:
                gallery = [o.image(gallery_height) for o in far]
                expected.append((window.image(query_height), gallery, matches))
        got = [
            (
                task.images[task.query_images[q]],
                [task.images[i] for i in task.gallery(q)],
                [task.images[i] for i in task.truth(q)[0]],
            )
            for q in range(len(task))
        ]
        assert got == expected
        assert expected


def test_queries_of_two_heights_have_ids_of_their_own(build):
    own, _, small, _ = build().protocols
    assert not set(own.query_ids) & set(small.query_ids)


def test_mixed_heights_equal_the_loop(build):
    heights = [None, 24, 12]
    dataset = build(
        pairs=[('mixed', 'mixed'), (None, 24)], mixed_heights=heights, query_every=2, min_gap=2
    )
    task = dataset.protocols[0]
    assert task.name == 'mixed-to-mixed'
    count = len(dataset.windows)
    asked, shown = (draw_heights(count, heights, seed) for seed in (0, 1))
    assert asked != shown
    assert {*asked} == {*shown} == {*heights}
    places = {w.image(h): n for h in heights for n, w in enumerate(dataset.windows)}
    for query in range(len(task)):
        window = dataset.windows[places[task.images[task.query_images[query]]]]
        number = dataset.windows.index(window)
        assert task.images[task.query_images[query]] == window.image(asked[number])
        gallery = [task.images[image] for image in task.gallery(query)]
        assert gallery == [
            other.image(shown[n])
            for n, other in enumerate(dataset.windows)
            if other.cam_id != window.cam_id or abs(other.scene - window.scene) >= 2
        ]
        for image, box in zip(*task.truth(query)):
            other = dataset.windows[places[task.images[image]]]
            assert other.person_id == window.person_id
            height = shown[places[task.images[image]]]
            np.testing.assert_allclose(box, other.box * other.factor(height))
    assert len(dataset) == len({scene.image for scene in dataset.scenes})
    assert set(task.query_ids).isdisjoint(dataset.protocols[1].query_ids)


def test_drawn_heights_are_the_same_every_time():
    one, two = (draw_heights(500, [None, 64, 32], seed=3) for _ in range(2))
    assert one == two
    assert all(130 < one.count(height) < 205 for height in (None, 64, 32))


@pytest.mark.parametrize(
    'options', [dict(pairs=[('mixed', 'own')]), dict(mixed_heights=[]), dict(mixed_heights=[4])]
)
def test_heights_that_are_none(build, options):
    with pytest.raises(ConfigError, match='CrossScaleDataset'):
        build(**options)


@pytest.mark.parametrize('fewer', [dict(filter_cfg=dict(filter_empty_gt=True)), dict(indices=5)])
def test_a_data_set_that_leaves_scenes_out(tmp_path, fewer):
    """Pictures were taken from the scene that stands so many places further on."""
    root = make_fake_coco(tmp_path)
    file = root / 'annotations.json'
    content = json.loads(file.read_text())
    first = content['images'][0]['id']
    kept = [one for one in content['annotations'] if one['image_id'] != first]
    file.write_text(json.dumps(dict(content, annotations=kept)))
    inner = dict(
        type='CocoPersonSearchDataset',
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
    )
    options = dict(pairs=PAIRS, test_mode=True, pipeline=[])
    whole = CrossScaleDataset(dataset=inner, **options)
    part = CrossScaleDataset(dataset={**inner, **fewer}, **options)
    assert len(part.dataset) < len(part.dataset.scenes)
    assert 0 < len(part) <= len(whole)
    for number in range(len(part)):
        image = part.get_data_info(number)['img_id']
        assert np.array_equal(part.picture(dict(img_id=image)), whole.picture(dict(img_id=image)))


def test_goes_to_worker_processes(build):
    dataset = build()
    copy = pickle.loads(pickle.dumps(dataset))
    info = dataset.get_data_info(3)
    assert np.array_equal(copy.picture(dict(info)), dataset.picture(dict(info)))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(test_mode=False), 'is for testing'),
        (dict(pairs=[(None, 4)]), '8 pixels or more'),
        (dict(pairs=[]), 'and a pair'),
        (dict(min_gap=0), 'min_gap must be 1 or more, not 0'),
        (dict(margin=-0.1), 'margin of 0 or more'),
    ],
)
def test_bad_options(build, options, words):
    with pytest.raises(ConfigError, match=words):
        build(**options)
