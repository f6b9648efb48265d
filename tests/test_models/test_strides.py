"""Strides that do not fit the backbone's maps are refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmclsa.errors import ConfigError
from mmclsa.models.reid.strides import check_strides, fits_stride
from tests.test_models.builders import batch, build_searcher, scene_sample


def halve(side, times, kernel=3, padding=1):
    layer = nn.Conv2d(1, 1, kernel, stride=2, padding=padding)
    picture = torch.zeros(1, 1, side, 4 * side)
    for _ in range(times):
        picture = layer(picture)
    return tuple(picture.shape[2:])


@pytest.mark.parametrize('side', range(33, 130, 3))
@pytest.mark.parametrize(('kernel', 'padding'), [(3, 1), (2, 0), (1, 0)])
def test_maps_of_real_convolutions_fit_their_strides(side, kernel, padding):
    for times in range(1, 5):
        cells = halve(side, times, kernel, padding)
        assert fits_stride((side, 4 * side), cells, 2**times)
        # The longer side of 132 pixels or more tells every wrong stride up to 16 apart.
        for other in {2, 4, 8, 16} - {2**times}:
            assert not fits_stride((side, 4 * side), cells, other)


def test_message_names_given_and_computed_strides():
    with pytest.raises(ConfigError) as error:
        check_strides((4, 8, 16), (100, 150), [(13, 19), (7, 10), (4, 5)])
    assert str(error.value) == (
        'SceneReID.strides is (4, 8, 16), but the backbone makes maps of 13x19, 7x10, 4x5 from an '
        'input of 100x150, which are strides (8, 16, 32): set strides, or in_indices if other '
        'maps are meant'
    )
    with pytest.raises(ConfigError, match=r'which are strides \(8, 16, 10\)'):
        check_strides((8, 16, 32), (96, 128), [(12, 16), (6, 8), (10, 13)])


def test_one_wrong_side_is_enough():
    with pytest.raises(ConfigError):
        check_strides((8,), (96, 128), [(12, 8)])


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('wrong', [dict(strides=(4, 8, 16)), dict(in_indices=(0, 1, 2))])
def test_searcher_refuses_them_at_its_first_pass(training, wrong):
    searcher = build_searcher('faster_rcnn').train(training)
    for name, value in wrong.items():
        setattr(searcher.reid, name, value)
    searcher.reid.neck = nn.Identity()
    inputs, samples = batch(searcher, [scene_sample((90, 130))], training)
    found = r'\(8, 16, 32\)' if 'strides' in wrong else r'\(4, 8, 16\)'
    with pytest.raises(ConfigError, match=rf'input of 96x160, which are strides {found}'):
        searcher.loss(inputs, samples) if training else searcher.predict(inputs, samples)
