"""Synthetic scenes: determinism, truth of boxes and ids, tasks, workers."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmclsa.datasets.synthetic import SyntheticPersonSearch, scene_of_plan, search_task
from mmclsa.datasets.synthetic.people import draw_appearance
from mmclsa.datasets.synthetic.scenes import SceneSettings, draw_scene, plan_scene
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS
from tests.helpers import REPO

PIPELINE = [dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')]


@pytest.fixture(autouse=True)
def _scope() -> None:
    DefaultScope.get_instance('test_synthetic', scope_name='mmclsa')


def _take_picture(results: dict) -> np.ndarray:
    return results['img']


def _dataset(**kwargs: object) -> SyntheticPersonSearch:
    return SyntheticPersonSearch(**{'num_scenes': 60, 'num_identities': 12, **kwargs})


def test_scene_depends_on_seed_and_number_alone() -> None:
    settings = SceneSettings(seed=3)
    before = draw_scene(plan_scene(settings, 7))
    for other in (0, 99):
        draw_scene(plan_scene(settings, other))
    np.testing.assert_array_equal(before, draw_scene(plan_scene(settings, 7)))
    assert (before != draw_scene(plan_scene(settings, 8))).mean() > 0.3
    assert (before != draw_scene(plan_scene(SceneSettings(seed=4), 7))).mean() > 0.3


def test_scene_does_not_depend_on_number_of_scenes() -> None:
    short, long = _dataset(num_scenes=20), _dataset(num_scenes=40)
    for few, many in zip(short.scenes, long.scenes):
        assert few.image == many.image
        np.testing.assert_array_equal(few.boxes, many.boxes)
        np.testing.assert_array_equal(few.person_ids, many.person_ids)


@pytest.mark.parametrize('index', range(12))
def test_box_is_what_a_person_changes_in_the_picture(index: int) -> None:
    settings = SceneSettings(people=(1, 1), occlusion=0.0, seed=5)
    plan = plan_scene(settings, index)
    with_person, without = draw_scene(plan), draw_scene(plan, without=[0])
    # Two grey levels: the border is blended with the background.
    changed = (np.abs(with_person.astype(int) - without) > 2).any(2)
    ys, xs = np.nonzero(changed)
    seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    np.testing.assert_allclose(seen, plan.people[0].box, atol=1.6)
    x1, y1, x2, y2 = np.rint(plan.people[0].box).astype(int)
    assert changed[y1:y2, x1:x2].mean() > 0.35


def test_crowded_scene_changes_only_inside_the_box_left_out() -> None:
    settings = SceneSettings(people=(5, 6), occlusion=1.0)
    for index in range(20):
        plan = plan_scene(settings, index)
        whole = draw_scene(plan)
        for number, person in enumerate(plan.people):
            changed = (whole != draw_scene(plan, without=[number])).any(2)
            x1, y1, x2, y2 = person.box
            inside = np.zeros_like(changed)
            # Two pixels more, for the blended border.
            rows = slice(max(int(y1) - 2, 0), int(y2) + 3)
            inside[rows, max(int(x1) - 2, 0) : int(x2) + 3] = True
            assert changed[inside].any()
            assert not changed[~inside].any()


def test_boxes_are_inside_and_cover_the_range_of_scales() -> None:
    settings = SceneSettings(width=320, height=240)
    plans = [plan_scene(settings, i) for i in range(300)]
    boxes = np.array([person.box for plan in plans for person in plan.people])
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 320
    assert boxes[:, 3].max() <= 240
    share = (boxes[:, 3] - boxes[:, 1]) / 240
    assert 0.124 < share.min() < 0.14
    assert 0.8 < share.max() <= 0.92
    assert np.mean(share < 0.3) > 0.3
    assert np.mean(share > 0.5) > 0.1


def test_everybody_appears_in_every_round_and_once_a_scene() -> None:
    settings = SceneSettings(num_identities=9, first_identity=100)
    for start in (0, 9):
        ids = [scene_of_plan(plan_scene(settings, start + i)).person_ids for i in range(9)]
        known = np.concatenate(ids)
        assert set(known[known >= 0]) == set(range(100, 109))
        for scene in ids:
            assert len(set(scene[scene >= 0])) == (scene >= 0).sum()


def test_unlabelled_share() -> None:
    for chance in (0.0, 0.5, 1.0):
        settings = SceneSettings(people=(4, 4), person_height=(0.1, 0.2), unlabelled=chance)
        ids = [scene_of_plan(plan_scene(settings, i)).person_ids for i in range(150)]
        share = np.mean(np.concatenate(ids) < 0)
        # The first of four people always has an identity.
        assert share == pytest.approx(0.75 * chance, abs=0.06)


def test_passers_by_are_nobody_twice() -> None:
    settings = SceneSettings(unlabelled=1.0, people=(3, 3))
    colours = [
        person.figure.colours
        for i in range(50)
        for person in plan_scene(settings, i).people
        if person.person_id < 0
    ]
    assert len(colours) > 80
    assert len(set(colours)) == len(colours)


def test_looks_differ_between_people_but_not_between_scenes() -> None:
    looks = [draw_appearance(0, i) for i in range(300)]
    assert len(set(looks)) == 300
    assert draw_appearance(1, 5) != looks[5]
    train, test = _dataset(seed=1), _dataset(seed=2, first_identity=12, test_mode=True)
    ids = {int(i) for scene in test.scenes for i in scene.person_ids if i >= 0}
    assert ids == set(range(12, 24))
    assert train.metainfo['num_identities'] == 12
    assert {int(i) for s in train.scenes for i in s.person_ids} == set(range(-1, 12))


def test_people_are_told_apart_by_colour() -> None:
    """A person's mean colours are nearer to themselves than to most others."""
    settings = SceneSettings(num_identities=20, people=(1, 1), occlusion=0.0)
    rows, ids = [], []
    for index in range(40):
        plan = plan_scene(settings, index)
        picture = draw_scene(plan).astype(float)
        x1, y1, x2, y2 = np.rint(plan.people[0].box).astype(int)
        middle = slice(x1 + (x2 - x1) * 3 // 8, x2 - (x2 - x1) * 3 // 8)
        parts = np.array_split(picture[y1:y2, middle], 8)
        rows.append(np.concatenate([part.mean((0, 1)) for part in parts]))
        ids.append(plan.people[0].person_id)
    distance = np.linalg.norm(np.array(rows[:20])[:, None] - np.array(rows[20:])[None], axis=2)
    hits = distance.argmin(1) == np.arange(20)
    assert ids[:20] == ids[20:]
    # Chance is 0.05.
    assert hits.mean() > 0.4


@pytest.mark.parametrize('size', [None, 15])
def test_task_agrees_with_the_scenes(size: int | None) -> None:
    scenes = _dataset(test_mode=True).scenes
    by_image = {scene.image: scene for scene in scenes}
    task = search_task(scenes, queries_per_identity=3, gallery_size=size)
    assert len(task) == 36
    for number in range(len(task)):
        person = int(task.person_ids[number])
        own = by_image[task.images[task.query_images[number]]]
        place = own.person_ids.tolist().index(person)
        np.testing.assert_array_equal(own.boxes[place], task.query_boxes[number])
        gallery = [task.images[i] for i in task.gallery(number)]
        assert own.image not in gallery
        assert len(gallery) == len(set(gallery))
        expected = {
            scene.image: scene.boxes[scene.person_ids.tolist().index(person)]
            for scene in scenes
            if person in scene.person_ids and scene.image != own.image
        }
        assert len(gallery) == (59 if size is None else max(size, len(expected)))
        assert set(expected) <= set(gallery)
        images, boxes = task.truth(number)
        assert [task.images[i] for i in images] == list(expected)
        np.testing.assert_array_equal(boxes, list(expected.values()))


def test_protocols_share_their_queries_and_reach_the_items() -> None:
    dataset = _dataset(test_mode=True, gallery_sizes=(None, 20), pipeline=PIPELINE)
    everything, twenty = dataset.metainfo['protocols']
    assert (everything.name, twenty.name) == ('all', 'gallery_20')
    np.testing.assert_array_equal(everything.query_boxes, twenty.query_boxes)
    np.testing.assert_array_equal(everything.query_images, twenty.query_images)
    seen = {}
    for item in dataset:
        for box, query in zip(item['query_bboxes'], item['query_ids']):
            assert everything.images[everything.query_images[query]] == item['img_id']
            seen[int(query)] = box
    assert sorted(seen) == list(range(len(everything)))
    np.testing.assert_allclose([seen[i] for i in sorted(seen)], everything.query_boxes, rtol=1e-6)


def test_workers_draw_the_same_pictures() -> None:
    dataset = _dataset(num_scenes=16, pipeline=[*PIPELINE, _take_picture])
    alone = [dataset[i] for i in range(len(dataset))]
    # What a spawned worker would get; starting one takes half a minute here.
    sent = pickle.loads(pickle.dumps(dataset))
    loader = DataLoader(sent, batch_size=None, num_workers=2)
    for here, there in zip(alone, loader):
        np.testing.assert_array_equal(here, np.asarray(there))


def test_pickle_is_small_and_drawing_is_cheap() -> None:
    dataset = _dataset(num_scenes=400, pipeline=PIPELINE)
    assert len(pickle.dumps(dataset)) < 1_500_000  # one picture alone has 147 kB
    start = time.process_time()
    for index in range(100):
        dataset[index]
    assert (time.process_time() - start) / 100 < 0.03


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('num_identities', 0),
        ('num_scenes', 11),
        ('people_per_scene', (3, 2)),
        ('people_per_scene', (0, 2)),
        ('img_size', (256, 10)),
        ('person_height', (0.5, 1.2)),
        ('unlabelled', 1.5),
        ('occlusion', -0.1),
        ('seed', -1),
        ('first_identity', -3),
    ],
)
def test_impossible_settings_are_named(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f'^{name} of SyntheticPersonSearch must be'):
        _dataset(**{name: value})


def test_config_builds_with_disjoint_people() -> None:
    cfg = Config.fromfile(REPO / 'configs/_base_/datasets/synthetic.py')
    people = []
    for part in ('train', 'val', 'test'):
        dataset = DATASETS.build(cfg[f'{part}_dataloader'].dataset)
        start, count = dataset.settings.first_identity, dataset.settings.num_identities
        people.append(set(range(start, start + count)))
        assert dataset.num_identities == count
        item = dataset[0]
        assert item['inputs'].shape == (3, 192, 256)
        assert len(item['data_samples'].gt_instances) > 0
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]
