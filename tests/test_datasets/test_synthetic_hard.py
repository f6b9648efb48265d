"""The hard drawn bed: look-alikes, crowds, light and blur; the easy scenes stay as they were."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

import numpy as np
import pytest
from mmengine.config import Config

from mmclsa.datasets.synthetic import SyntheticPersonSearch
from mmclsa.datasets.synthetic.people import draw_appearance, draw_lookalike
from mmclsa.datasets.synthetic.scenes import SceneSettings, draw_scene, plan_scene
from mmclsa.errors import ConfigError
from tests.helpers import REPO

OWN = {'hair', 'long_hair', 'long_sleeves', 'pattern_colour', 'shoes', 'bag', 'bag_colour'}
# Of six scenes, as they were drawn before there were hard ones.
EASY = 'ebc49f4682883728'


def test_easy_scenes_are_the_same_to_the_bit():
    digest = hashlib.sha256()
    for index in range(6):
        digest.update(draw_scene(plan_scene(SceneSettings(seed=3), index)).tobytes())
    assert digest.hexdigest()[:16] == EASY


def test_lookalikes_differ_in_details_alone():
    group = [draw_lookalike(0, identity, 4) for identity in range(8, 12)]
    for person in group[1:]:
        one, two = asdict(group[0]), asdict(person)
        differ = {name for name in one if one[name] != two[name]}
        assert 'shoes' in differ, 'nobody is another'
        assert differ <= OWN
    assert draw_lookalike(0, 7, 4).shirt != group[0].shirt
    assert draw_lookalike(0, 8, 4) == draw_appearance(0, 8)
    for identity in range(5):
        assert draw_lookalike(0, identity, 1) == draw_appearance(0, identity)


def overlaps(settings):
    for index in range(30):
        boxes = [person.box for person in plan_scene(settings, index).people]
        for number, a in enumerate(boxes):
            for b in boxes[:number]:
                w = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
                h = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
                smaller = min((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
                yield w * h / smaller


def test_crowds_overlap_as_far_as_they_may():
    crowd = SceneSettings(people=(5, 7), overlap=0.4)
    assert 0.3 < max(overlaps(crowd)) <= 0.4
    assert max(overlaps(replace(crowd, overlap=0.15))) <= 0.15


@pytest.mark.parametrize('option', ['light', 'blur'])
def test_the_camera_moves_nobody(option):
    easy = SceneSettings(seed=5)
    hard = replace(easy, **{option: 1.0})
    pictures = []
    for settings in (easy, hard):
        plan = plan_scene(settings, 3)
        pictures.append(draw_scene(plan).astype(float))
        assert [p.box for p in plan.people] == [p.box for p in plan_scene(easy, 3).people]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    np.testing.assert_array_equal(draw_scene(plan_scene(hard, 3)), pictures[1])


def sharpness(picture):
    return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())


def test_blur_takes_detail_away_as_often_as_asked():
    easy, hard = SceneSettings(seed=1), SceneSettings(seed=1, blur=0.3)
    blurred = 0
    for index in range(60):
        one, two = (draw_scene(plan_scene(s, index)) for s in (easy, hard))
        if (one != two).any():
            assert sharpness(two) < 0.85 * sharpness(one)
            blurred += 1
    assert 10 <= blurred <= 26


@pytest.mark.parametrize(
    ('option', 'value'),
    [('overlap', 0.0), ('overlap', 1.5), ('lookalikes', 0), ('light', 2.0), ('blur', -0.1)],
)
def test_wrong_options(option, value):
    with pytest.raises(ConfigError, match=option):
        SyntheticPersonSearch(**{option: value}, pipeline=[])


def test_the_bed_of_the_recipe():
    """People from 24 pixels to most of the picture; strangers in training and in both tests."""
    cfg = Config.fromfile(REPO / 'configs' / '_base_' / 'datasets' / 'synthetic_hard.py')
    people = []
    for part in ('train', 'val', 'test'):
        options = dict(cfg[f'{part}_dataloader'].dataset, pipeline=[])
        assert options.pop('type') == 'SyntheticPersonSearch'
        dataset = SyntheticPersonSearch(**options)
        first = options.get('first_identity', 0)
        people.append(range(first, first + options['num_identities']))
        heights = np.concatenate([s.boxes[:, 3] - s.boxes[:, 1] for s in dataset.scenes])
        assert 24 <= heights.min() < 26
        assert heights.max() > 0.85 * cfg.image_size[1]
        assert options['num_identities'] % options['lookalikes'] == 0
    assert not set(people[0]) & set(people[1]) | set(people[1]) & set(people[2])
    assert dataset.counts()['queries'] == 4 * options['num_identities']
