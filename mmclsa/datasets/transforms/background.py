"""Taking the background away from a person, so that it cannot be learnt instead."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmclsa.datasets.transforms.augmentation import _boxes, _check_prob
from mmclsa.errors import ConfigError
from mmclsa.registry import TRANSFORMS

__all__ = ['RandomBackground', 'upright_mask']


def upright_mask(
    shape: tuple[int, int], box: np.ndarray, width: float, softness: float = 0.15
) -> np.ndarray:
    """Draw where an upright person is likely to be: a soft upright ellipse.

    Args:
        shape: Height and width of the picture.
        box: The person, x1 y1 x2 y2.
        width: Width of the ellipse as a share of the box; it is a tenth
            higher than the box, for head and feet.
        softness: Share of the radius over which the edge falls from 1 to 0.

    Returns:
        Shape (height, width), float32 in [0, 1].

    Example:
        >>> mask = upright_mask((20, 10), np.array([0, 0, 10, 20]), 0.6)
        >>> mask[10, 5].item(), mask[10, 0].item()
        (1.0, 0.0)
    """
    x1, y1, x2, y2 = box
    y, x = np.ogrid[: shape[0], : shape[1]]
    across = (x + 0.5 - (x1 + x2) / 2) / max(width * (x2 - x1) / 2, 0.5)
    along = (y + 0.5 - (y1 + y2) / 2) / max(1.1 * (y2 - y1) / 2, 0.5)
    radius = np.sqrt(across**2 + along**2)
    return np.clip((1 - radius) / softness + 0.5, 0, 1).astype(np.float32)


@TRANSFORMS.register_module()
class RandomBackground(BaseTransform):
    """Replace what surrounds a person by soft clouds of random colours.

    Consecutive frames of a video show a person before the same background;
    a network that is trained on few of them recognises the background. Meant
    for pictures of one person (``PersonCropDataset``): all outside of an
    upright ellipse in the first box goes.

    Args:
        prob: Probability to do it.
        width: Least and largest width of the ellipse, as a share of the box.
        cells: Rows and columns of the grid of random colours.
    """

    def __init__(
        self,
        prob: float = 0.5,
        width: tuple[float, float] = (0.6, 0.9),
        cells: tuple[int, int] = (4, 2),
    ) -> None:
        _check_prob('RandomBackground', prob)
        if not 0 < width[0] <= width[1]:
            raise ConfigError(f'RandomBackground.width must be 0 < least <= largest, not {width}')
        self.prob = prob
        self.width = (width[0], width[1])
        self.cells = (cells[0], cells[1])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Paint around the person in ``img``."""
        boxes = _boxes(results)
        if np.random.rand() >= self.prob or len(boxes) == 0:
            return results
        picture = results['img']
        height, width = picture.shape[:2]
        colours = np.random.uniform(0, 255, (*self.cells, 3)).astype(np.float32)
        clouds = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
        mask = upright_mask((height, width), boxes[0], np.random.uniform(*self.width))[..., None]
        mixed = mask * picture + (1 - mask) * clouds
        results['img'] = mixed.clip(0, 255).astype(picture.dtype)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, width={self.width}, cells={self.cells})'
