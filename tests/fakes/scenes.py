"""Small random scenes with people as coloured patches."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

__all__ = ['FakeScene', 'draw_scene', 'make_scenes', 'write_scenes']


@dataclass(frozen=True)
class FakeScene:
    """One scene: its name and who is where.

    Attributes:
        name: File name.
        boxes: Integers (n, 4), x y w h.
        ids: Integers (n,); -1 = unlabelled.
    """

    name: str
    boxes: np.ndarray
    ids: np.ndarray


def make_scenes(
    names: Sequence[str],
    ids: Sequence[int],
    size: tuple[int, int] = (120, 160),
    unlabelled: int = 1,
    seed: int = 0,
) -> list[FakeScene]:
    """Place people in scenes so that each appears in at least two.

    Args:
        names: File name of each scene; at least two.
        ids: People; person k is in scenes k and k + 1 (mod number of scenes)
            and in about half of the others.
        size: Height and width of a picture.
        unlabelled: People without identity in each scene.
        seed: Of positions.

    Returns:
        The scenes. The boxes of one scene differ from each other.
    """
    rng = np.random.default_rng(seed)
    scenes = []
    for index, name in enumerate(names):
        present = [
            person
            for rank, person in enumerate(ids)
            if (index - rank) % len(names) < 2 or rng.random() < 0.5
        ]
        people = present + [-1] * unlabelled
        heights = rng.integers(size[0] // 4, size[0] // 2, len(people))
        widths = heights // 2
        lefts = rng.integers(1, size[1] - widths)
        tops = rng.integers(1, size[0] - heights)
        boxes = np.stack([lefts, tops, widths, heights], axis=1)
        # Exact boxes carry identities in CUHK-SYSU: two people may not share one.
        boxes[:, 0] = np.minimum(boxes[:, 0], size[1] - widths - 1)
        _, first = np.unique(boxes, axis=0, return_index=True)
        kept = np.sort(first)
        scenes.append(FakeScene(name, boxes[kept], np.array(people, dtype=np.int64)[kept]))
    return scenes


def draw_scene(scene: FakeScene, size: tuple[int, int] = (120, 160), seed: int = 0) -> np.ndarray:
    """Draw a scene: noise, and each person in two colours of his own.

    Returns:
        Shape (*size, 3), uint8, BGR.
    """
    rng = np.random.default_rng([seed, len(scene.boxes), sum(map(ord, scene.name))])
    picture = rng.integers(60, 120, (*size, 3)).astype(np.uint8)
    for (x, y, w, h), person in zip(scene.boxes.tolist(), scene.ids.tolist()):
        hue = 0.0 if person < 0 else (person * 0.381966) % 1.0
        value = 40 if person < 0 else 255
        upper = np.array(colorsys.hsv_to_rgb(hue, 0.9, 1.0)) * value
        lower = np.array(colorsys.hsv_to_rgb((hue * 7) % 1.0, 0.6, 0.7)) * value
        picture[y : y + h // 2, x : x + w] = upper
        picture[y + h // 2 : y + h, x : x + w] = lower
    return picture


def write_scenes(
    folder: Path, scenes: Sequence[FakeScene], size: tuple[int, int] = (120, 160), seed: int = 0
) -> None:
    """Write the pictures of scenes into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        cv2.imwrite(str(folder / scene.name), draw_scene(scene, size, seed))
