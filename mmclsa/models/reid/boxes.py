"""Boxes that can be cut out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

__all__ = ['FAR', 'at_least_a_pixel', 'boxes_for_alignment', 'give_people_size']

#: Pixels; farther than any picture reaches. RoIAlign crashes at astronomical distances.
FAR = 1e5


def at_least_a_pixel(boxes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Widen boxes that are less than a pixel wide or high.

    A box without width has no logarithm of it, which a detector's loss takes,
    and no cells, which RoIAlign averages; a box that is inside out stops
    RoIAlign. Nothing goes to the host.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        size: Height and width of a picture to clip to first; None for none.

    Returns:
        Shape (n, 4): all boxes that were at least a pixel wide and high within
        the picture are as they were there; others have their left upper
        corner, moved into the picture, and a pixel's width or height.

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[1.0, 2, 3, 4], [5, 5, 5, 9], [9, 9, 12, 7]])
        >>> at_least_a_pixel(boxes).tolist()
        [[1.0, 2.0, 3.0, 4.0], [5.0, 5.0, 6.0, 9.0], [9.0, 9.0, 12.0, 10.0]]
        >>> at_least_a_pixel(boxes, (8, 10))[2].tolist()
        [9.0, 7.0, 10.0, 8.0]
    """
    x1, y1, x2, y2 = boxes.unbind(1)
    if size is not None:
        height, width = size
        x1, y1 = x1.clamp(0, width - 1), y1.clamp(0, height - 1)
        x2, y2 = x2.clamp(max=width), y2.clamp(max=height)
    return torch.stack([x1, y1, torch.maximum(x2, x1 + 1), torch.maximum(y2, y1 + 1)], dim=1)


def boxes_for_alignment(boxes: Sequence[Tensor], feats: Tensor) -> list[Tensor]:
    """Make boxes that RoIAlign can do: of a pixel at least, and not beyond :data:`FAR`.

    Args:
        boxes: One (n_i, 4) tensor a scene, x1 y1 x2 y2 in input pixels.
        feats: What they are to be aligned on; gives the precision.

    Returns:
        The same shapes, float32 or wider.

    Example:
        >>> boxes = boxes_for_alignment([torch.tensor([[0.0, 0, 1e9, 0]])], torch.ones(1))
        >>> boxes[0].tolist()
        [[0.0, 0.0, 100000.0, 1.0]]
    """
    dtype = torch.promote_types(feats.dtype, torch.float32)
    return [at_least_a_pixel(b.to(dtype).clamp(-FAR, FAR)) for b in boxes]


def give_people_size(data_samples: Sequence[DetDataSample]) -> None:
    """Widen ground-truth boxes of less than a pixel, in place.

    A pipeline that ends in ``PackPersonSearchInputs`` has none; boxes that
    come another way would make the losses NaN.

    Args:
        data_samples: Samples with ``gt_instances.bboxes`` in input pixels.
    """
    for sample in data_samples:
        people = sample.gt_instances
        people.bboxes = at_least_a_pixel(get_box_tensor(people.bboxes))
