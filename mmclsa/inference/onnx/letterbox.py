"""Making a picture ready for a detector, with NumPy and OpenCV alone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ['Letterbox', 'scaled_size']


def scaled_size(
    width: int, height: int, scale: tuple[int, int], keep_ratio: bool = True
) -> tuple[int, int]:
    """Compute what size a picture is resized to; as MMDetection's ``Resize``.

    Args:
        width: Of the picture, pixels.
        height: Of the picture, pixels.
        scale: Longer and shorter side at most, in any order; width and
            height where the ratio is not kept.
        keep_ratio: Whether both sides change by one factor.

    Returns:
        Width and height.

    Example:
        >>> scaled_size(768, 576, (416, 416))
        (416, 312)
    """
    if not keep_ratio:
        return scale
    factor = min(max(scale) / max(width, height), min(scale) / min(width, height))
    return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))


@dataclass(frozen=True)
class Letterbox:
    """Resize a picture and pad it at the right and below.

    Attributes:
        scale: See :func:`scaled_size`.
        keep_ratio: See :func:`scaled_size`.
        pad_size: Width and height that it is padded to at least; None for no
            such padding.
        pad_value: With which value, for blue, green and red.
        divisor: Then to a multiple of so many pixels.
        fill: With which value, for blue, green and red; the one that normalisation makes the
            network's padding of.
        float32: Whether a resized picture is left as it is, not rounded to
            whole numbers.
    """

    scale: tuple[int, int]
    keep_ratio: bool = True
    pad_size: tuple[int, int] | None = None
    pad_value: tuple[float, ...] = (0.0, 0.0, 0.0)
    divisor: int = 1
    fill: tuple[float, ...] = (0.0, 0.0, 0.0)
    float32: bool = False

    def apply(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make one picture ready.

        Args:
            picture: Shape (H, W, 3), uint8, BGR.

        Returns:
            Shape (3, h, w), float32, still BGR in 0..255; and the factors
            (w, h, w, h) from the picture's pixels to these, float32.

        Example:
            >>> box = Letterbox((8, 8), pad_size=(8, 8), pad_value=(114.0, 114.0, 114.0))
            >>> ready, factors = box.apply(np.zeros((2, 4, 3), np.uint8))
            >>> ready.shape, factors.tolist(), ready[0, :, 0].tolist()
            ((3, 8, 8), [2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0, 114.0, 114.0, 114.0, 114.0])
        """
        height, width = picture.shape[:2]
        w, h = scaled_size(width, height, self.scale, self.keep_ratio)
        picture = picture.astype(np.float32) if self.float32 else picture
        small = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
        inner = np.maximum((w, h), self.pad_size or (w, h))
        outer = -(-inner // self.divisor) * self.divisor
        ready = np.empty((3, outer[1], outer[0]), np.float32)
        ready[:] = np.array(self.fill, np.float32)[:, None, None]
        ready[:, : inner[1], : inner[0]] = np.array(self.pad_value, np.float32)[:, None, None]
        ready[:, :h, :w] = small.transpose(2, 0, 1)
        return ready, np.array([w / width, h / height] * 2, np.float32)
