"""One annotated scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['Scene']


@dataclass(frozen=True, eq=False)
class Scene:
    """One annotated image.

    Attributes:
        image: File name relative to the image folder; the image's key
            everywhere.
        boxes: Shape (n, 4), float64, x1 y1 x2 y2 in pixels.
        person_ids: Shape (n,), int64; -1 = unlabelled.
        ignore: Shape (n,), bool; True = neither person nor background.
        track_ids: Shape (n,), int64, or None.
        cam_id: The camera, -1 = unknown.
        width: Of the image, pixels; None if the annotation does not say.
        height: Of the image, pixels; None if the annotation does not say.
        image_id: The image's number or name in the annotation file, where it has one.
        ignore_regions: Polygons, shape (k, 2) each, x y in pixels, within
            which nobody is annotated.
    """

    image: str
    boxes: np.ndarray
    person_ids: np.ndarray
    ignore: np.ndarray
    track_ids: np.ndarray | None = None
    cam_id: int = -1
    width: int | None = None
    height: int | None = None
    image_id: int | str | None = None
    ignore_regions: tuple[np.ndarray, ...] = ()
