"""The mean of a map over boxes: RoIAlign and average pooling in matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    'average_convolved_regions',
    'average_regions',
    'is_plain_convolution',
    'sampling_weights',
]


def sampling_weights(
    starts: Tensor, ends: Tensor, length: int, samples: int, stripes: int = 1
) -> Tensor:
    """Weigh the cells of one axis of a map, as RoIAlign's samples of boxes do.

    RoIAlign puts ``samples`` points at even distances between the ends of a
    box and interpolates at each; one that is more than a cell outside counts
    as 0, one that is less as the border. Bilinear interpolation on a grid is
    the product of two linear ones, so the mean over the grid is a product of
    weights a row and weights a column.

    Args:
        starts: Where boxes begin, shape (N,), in cells of the map.
        ends: Where they end, shape (N,).
        length: Cells of the map along this axis.
        samples: Points a box, a multiple of ``stripes``.
        stripes: Parts of the box that are averaged apart.

    Returns:
        Shape (N, stripes, length).

    Example:
        >>> import torch
        >>> sampling_weights(torch.tensor([1.0]), torch.tensor([3.0]), 4, 2)
        tensor([[[0.0000, 0.5000, 0.5000, 0.0000]]])
    """
    steps = (torch.arange(samples, device=starts.device, dtype=starts.dtype) + 0.5) / samples
    # The centre of cell 0 lies at 0.5.
    points = starts[:, None] - 0.5 + (ends - starts)[:, None] * steps
    seen = (points >= -1) & (points <= length)
    cells = torch.arange(length, device=starts.device, dtype=starts.dtype)
    distances = (points.clamp(0, length - 1)[..., None] - cells).abs()
    weights = (1 - distances).clamp(min=0) * seen[..., None]
    return weights.unflatten(1, (stripes, -1)).mean(dim=2)


def _with_neighbours(weights: Tensor) -> Tensor:
    """Shift weights (N, stripes, L) by -1, 0 and 1 cells, shape (N, stripes, 3, L)."""
    padded = F.pad(weights, (1, 1))
    length = weights.shape[-1]
    return torch.stack([padded[..., 2 - tap : 2 - tap + length] for tap in range(3)], dim=2)


def _box_weights(
    boxes: Tensor, scale: float, level: Tensor, samples: tuple[int, int], stripes: int
) -> tuple[Tensor, Tensor]:
    """Weigh rows (n, stripes, H) and columns (n, 1, W) of a map (C, H, W) for boxes (n, 4)."""
    left, top, right, bottom = (boxes.to(level.dtype) * scale).unbind(dim=1)
    rows = sampling_weights(top, bottom, level.shape[1], samples[0], stripes)
    return rows, sampling_weights(left, right, level.shape[2], samples[1])


def average_regions(
    feats: Tensor,
    boxes: Sequence[Tensor],
    scale: float,
    samples: tuple[int, int],
    stripes: int = 1,
    neighbours: bool = False,
) -> Tensor:
    """Average maps over boxes.

    What ``average pooling(RoIAlign(feats))`` gives, without the map of each
    box in between, and without saving ``feats`` for the backward pass. A value
    that is not finite spoils every box of its picture.

    Args:
        feats: Shape (B, C, H, W).
        boxes: One (n_i, 4) tensor x1 y1 x2 y2 a picture, in input pixels.
        scale: Cells of the map a pixel.
        samples: Sample points of a box along its height and its width.
        stripes: Horizontal stripes of a box that are averaged apart.
        neighbours: Also average the maps shifted by one cell in all
            directions, which a 3 x 3 convolution asks for.

    Returns:
        Shape (sum of n_i, C, stripes, 3, 3) with neighbours, zeros being
        beyond the border, else (sum of n_i, C, stripes, 1, 1).

    Example:
        >>> import torch
        >>> maps = torch.ones(1, 2, 8, 8)
        >>> average_regions(maps, [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], 1.0, (4, 4)).flatten()
        tensor([1., 1.])
    """
    averages = []
    for level, picture_boxes in zip(feats, boxes):
        rows, columns = _box_weights(picture_boxes, scale, level, samples, stripes)
        if neighbours:
            rows, columns = _with_neighbours(rows), _with_neighbours(columns)
        else:
            rows, columns = rows[:, :, None], columns[:, :, None]
        averages.append(_weighted_sums(level, rows, columns[:, 0]))
    return torch.cat(averages)


def _weighted_sums(level: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Sum a map (C, H, W) with weights (n, S, Y, H) and (n, X, W) into (n, C, S, Y, X).

    Two matrix products in the one order whose intermediate needs no copy: of
    einsum's time two thirds went into one.
    """
    (channels, height, _), (number, shifts, _) = level.shape, columns.shape
    across = columns.flatten(0, 1) @ level.flatten(0, 1).T
    down = across.view(number, shifts * channels, height) @ rows.flatten(1, 2).transpose(1, 2)
    return down.view(number, shifts, channels, *rows.shape[1:3]).permute(0, 2, 3, 4, 1)


def average_convolved_regions(
    feats: Tensor,
    boxes: Sequence[Tensor],
    scale: float,
    samples: tuple[int, int],
    stripes: int,
    conv: nn.Conv2d,
) -> Tensor:
    """Average the output of a 3 x 3 convolution over boxes, without computing it.

    Convolution and average are linear, so their order does not matter: nine
    vectors a box take the place of a map.

    Args:
        feats: The convolution's input, shape (B, C, H, W).
        boxes: As for :func:`average_regions`, and so are the next three.
        scale: Cells of the map a pixel.
        samples: Sample points of a box along its height and its width.
        stripes: Horizontal stripes of a box that are averaged apart.
        conv: From C to D channels; :func:`is_plain_convolution` holds.

    Returns:
        Shape (sum of n_i, D, stripes).
    """
    averages = average_regions(feats, boxes, scale, samples, stripes, neighbours=True)
    mixed = torch.einsum('ncsyx,dcyx->nds', averages, conv.weight)
    if conv.bias is None:
        return mixed
    # Samples beyond the border count as 0, and so does the bias there.
    weights = [_box_weights(b, scale, level, samples, stripes) for level, b in zip(feats, boxes)]
    inside = torch.cat([rows.sum(dim=2) * columns.sum(dim=2) for rows, columns in weights])
    return mixed + conv.bias[:, None] * inside[:, None]


def is_plain_convolution(module: nn.Module) -> bool:
    """Tell whether a module is a 3 x 3 convolution and nothing else.

    Args:
        module: A convolution, or MMCV's ``ConvModule`` around one.

    Returns:
        Whether it keeps the size of a map, padded by zeros, without a norm
        or an activation.

    Example:
        >>> from torch import nn
        >>> is_plain_convolution(nn.Conv2d(4, 4, 3, padding=1))
        True
        >>> is_plain_convolution(nn.Conv2d(4, 4, 3))
        False
    """
    leaves = [part for part in module.modules() if next(part.children(), None) is None]
    conv = leaves[0]
    return (
        len(leaves) == 1
        and type(conv) is nn.Conv2d
        and conv.kernel_size == (3, 3)
        and conv.padding == (1, 1)
        and conv.padding_mode == 'zeros'
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        # Such as spectral norm.
        and not conv._forward_pre_hooks
    )
