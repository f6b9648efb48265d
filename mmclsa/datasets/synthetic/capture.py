"""What a camera does to a synthetic scene: hard light, and a lens out of focus."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ['blur_at_random', 'relight']

#: Standard deviation of the blur, pixels: at most, and at least where there is any.
BLUR_RANGE = (0.5, 1.6)


def relight(picture: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Change exposure, tint and contrast, and let light fall from one side.

    Args:
        picture: Shape (H, W, 3), uint8.
        strength: 0 (nothing changes) .. 1.
        rng: Where the light is drawn from; as much is drawn for any strength.

    Returns:
        The picture in that light, as a new array.

    Example:
        >>> grey = np.full((4, 6, 3), 100, np.uint8)
        >>> bool((relight(grey, 0.0, np.random.default_rng(0)) == grey).all())
        True
    """
    exposure, gamma, slope = rng.uniform(-1, 1, 3) * strength
    tint = 1 + 0.15 * strength * rng.uniform(-1, 1, 3)
    levels = 255 * (np.arange(256) / 255) ** (2 ** (0.5 * gamma))
    table = np.clip(levels[:, None] * tint * 2 ** (0.6 * exposure), 0, 255)
    side = np.linspace(-1, 1, picture.shape[1])[:, None]
    lit = cv2.LUT(picture, table.astype(np.float32)[None]) * (1 + 0.35 * slope * side)
    return np.clip(lit, 0, 255).astype(np.uint8)


def blur_at_random(picture: np.ndarray, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Put a picture out of focus, by chance.

    Args:
        picture: Shape (H, W, 3), uint8.
        chance: Of a blur, 0..1.
        rng: Where chance and strength are drawn from.

    Returns:
        The picture, or a blurred copy.

    Example:
        >>> dot = np.zeros((9, 9, 3), np.uint8)
        >>> dot[4, 4] = 255
        >>> bool(blur_at_random(dot, 1.0, np.random.default_rng(0)).max() < 255)
        True
    """
    blurred, sigma = rng.random() < chance, float(rng.uniform(*BLUR_RANGE))
    return cv2.GaussianBlur(picture, (0, 0), sigma) if blurred else picture
