"""Do the strides that a config gives fit the maps that a backbone makes?"""

from __future__ import annotations

from collections.abc import Sequence

from mmclsa.errors import ConfigError

__all__ = ['check_strides', 'fits_stride']

Size = tuple[int, int]


def fits_stride(input_size: Size, map_size: Size, stride: int) -> bool:
    """Tell whether a map of an input can have a stride.

    Stages that halve the input round up (padded convolutions) or down
    (patches), so a map of stride s has ``floor(side / s)`` to
    ``ceil(side / s)`` cells a side: one number where the input is padded to a
    multiple of s, and 1 to 2 possible numbers elsewhere.

    Args:
        input_size: Height and width of the padded input, in pixels.
        map_size: Height and width of the map, in cells.
        stride: Pixels a cell.

    Example:
        >>> fits_stride((96, 130), (12, 17), 8), fits_stride((96, 130), (24, 33), 8)
        (True, False)
    """
    return all(
        side // stride <= cells <= -(-side // stride) for side, cells in zip(input_size, map_size)
    )


def _likely_stride(input_size: Size, map_size: Size) -> int:
    """Find the stride of a map: a power of two if one fits."""
    powers = [2**n for n in range(max(input_size).bit_length() + 1)]
    candidates = [s for s in powers if fits_stride(input_size, map_size, s)]
    return candidates[0] if candidates else max(round(input_size[0] / map_size[0]), 1)


def check_strides(strides: Sequence[int], input_size: Size, map_sizes: Sequence[Size]) -> None:
    """Refuse strides that do not fit the maps.

    Args:
        strides: Pixels a cell of each map.
        input_size: Height and width of the padded input, in pixels.
        map_sizes: Height and width of each map, in cells.

    Raises:
        ConfigError: If one does not fit, with the strides that do.

    Example:
        >>> check_strides((8, 16), (96, 128), [(12, 16), (6, 8)])
    """
    if all(fits_stride(input_size, size, s) for size, s in zip(map_sizes, strides)):
        return
    found = tuple(_likely_stride(input_size, size) for size in map_sizes)
    sizes = ', '.join(f'{height}x{width}' for height, width in map_sizes)
    raise ConfigError(
        f'SceneReID.strides is {tuple(strides)}, but the backbone makes maps of {sizes} from an '
        f'input of {input_size[0]}x{input_size[1]}, which are strides {found}: set strides, or '
        'in_indices if other maps are meant'
    )
