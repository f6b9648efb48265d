"""Augmentations that make re-ID robust: imprecise boxes, lost resolution, occlusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import get_box_tensor

from mmclsa.errors import ConfigError
from mmclsa.registry import TRANSFORMS

__all__ = ['RandomBoxJitter', 'RandomDownscale', 'RandomErasing']


def _check_prob(name: str, prob: float) -> None:
    if not 0 <= prob <= 1:
        raise ConfigError(f'{name}.prob must lie in 0..1, not {prob}')


def _boxes(results: dict[str, Any]) -> np.ndarray:
    return np.asarray(get_box_tensor(results['gt_bboxes']), dtype=np.float64).reshape(-1, 4)


@TRANSFORMS.register_module()
class RandomBoxJitter(BaseTransform):
    """Place boxes as imprecisely as a detector does; the picture stays as it is.

    Each box is scaled about its centre, in width and height apart, and then
    moved. Unlike ``PersonSearcher.train_boxes`` it replaces the true box, so
    a batch of crops does not grow.

    Args:
        shift: A box moves by up to this share of its width and height, 0..1.
        zoom: Width and height change by up to this share each, 0..1.
    """

    def __init__(self, shift: float = 0.08, zoom: float = 0.1) -> None:
        for name, value in (('shift', shift), ('zoom', zoom)):
            if not 0 <= value < 1:
                raise ConfigError(f'RandomBoxJitter.{name} must lie in 0..1, not {value}')
        self.shift = shift
        self.zoom = zoom

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Move ``gt_bboxes``."""
        boxes = _boxes(results)
        size = boxes[:, 2:] - boxes[:, :2]
        moves, zooms = np.random.uniform(-1, 1, (2, len(boxes), 2))
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + moves * self.shift * size
        half = size * (1 + zooms * self.zoom) / 2
        jittered = np.concatenate([centre - half, centre + half], axis=1)
        results['gt_bboxes'] = type(results['gt_bboxes'])(torch.from_numpy(jittered).float())
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(shift={self.shift}, zoom={self.zoom})'


@TRANSFORMS.register_module()
class RandomDownscale(BaseTransform):
    """Take resolution away from a person, as distance does.

    Shrinks the picture so that its tallest person is of a random height and
    scales it back to its size: boxes do not change, detail is gone. Heights
    are drawn log-uniformly between ``min_height`` and the person's own. Meant
    for pictures of one person (``PersonCropDataset``).

    Args:
        min_height: Smallest height of the person on the way, in pixels.
        prob: Probability to do it.
    """

    def __init__(self, min_height: int = 24, prob: float = 0.5) -> None:
        _check_prob('RandomDownscale', prob)
        if min_height < 1:
            raise ConfigError(f'RandomDownscale.min_height must be 1 or more, not {min_height}')
        self.min_height = min_height
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shrink and enlarge ``img``."""
        boxes = _boxes(results)
        # Two draws whatever happens: the stream of random numbers does not depend on the picture.
        chance, position = np.random.rand(2)
        tallest = (boxes[:, 3] - boxes[:, 1]).max() if len(boxes) else 0
        if chance >= self.prob or tallest <= self.min_height:
            return results
        factor = math.exp(position * math.log(self.min_height / tallest))
        height, width = results['img'].shape[:2]
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        shrunk = cv2.resize(results['img'], small, interpolation=cv2.INTER_AREA)
        results['img'] = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(min_height={self.min_height}, prob={self.prob})'


@TRANSFORMS.register_module()
class RandomErasing(BaseTransform):
    """Hide a random rectangle of each person (Zhong et al., AAAI 2020).

    The rectangle lies within the person's box and is filled with one colour.
    Unlike ``mmdet.RandomErasing`` it leaves the boxes as they are: somebody
    half hidden is still where he is.

    Args:
        prob: Probability for each person.
        area: Least and largest share of the box's area.
        aspect: Least ratio of the rectangle's height to its width; the
            largest is its inverse.
        fill: Colour (BGR), or ``'noise'`` for random pixels.
        tries: Draws before a rectangle that does not fit is given up.
    """

    def __init__(
        self,
        prob: float = 0.5,
        area: tuple[float, float] = (0.02, 0.4),
        aspect: float = 0.3,
        fill: Sequence[float] | str = (103.53, 116.28, 123.675),
        tries: int = 20,
    ) -> None:
        _check_prob('RandomErasing', prob)
        if not 0 < area[0] <= area[1] < 1:
            raise ConfigError(f'RandomErasing.area must be 0 < least <= largest < 1, not {area}')
        if not 0 < aspect <= 1:
            raise ConfigError(f'RandomErasing.aspect must lie in 0..1, not {aspect}')
        self.prob = prob
        self.area = (area[0], area[1])
        self.aspect = aspect
        self.fill = fill
        self.tries = tries

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Paint over a part of each person in ``img``."""
        picture = results['img'].copy()
        height, width = picture.shape[:2]
        for box in _boxes(results):
            if np.random.rand() < self.prob:
                edges = np.clip(box, 0, [width, height, width, height]).round().astype(int)
                self._erase(picture[edges[1] : edges[3], edges[0] : edges[2]])
        results['img'] = picture
        return results

    def _erase(self, person: np.ndarray) -> None:
        """Paint over a part of a view (h, w, 3) in place."""
        height, width = person.shape[:2]
        limit = -math.log(self.aspect)
        for _ in range(self.tries):
            size = np.random.uniform(*self.area) * height * width
            ratio = math.exp(np.random.uniform(-limit, limit))
            h, w = round(math.sqrt(size * ratio)), round(math.sqrt(size / ratio))
            if 0 < h < height and 0 < w < width:
                top, left = np.random.randint(height - h + 1), np.random.randint(width - w + 1)
                patch = person[top : top + h, left : left + w]
                noise = self.fill == 'noise'
                patch[...] = np.random.randint(0, 256, patch.shape) if noise else self.fill
                return

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, area={self.area}, aspect={self.aspect}, '
            f'fill={self.fill!r}, tries={self.tries})'
        )
