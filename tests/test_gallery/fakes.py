"""A model of a few lines, and footage for it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import cv2
import numpy as np

from mmclsa.gallery import ModelIdentity
from mmclsa.structures import FoundPeople

DIMS = 8


class FakeEmbedder:
    """Finds one person for each bright quarter; the embedding is a hash of its pixels."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.batches: list[int] = []

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity('a' * 64, 'b' * 64, DIMS)

    def prepare(self, picture: np.ndarray) -> dict:
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        return {'inputs': picture}

    def find_people(self, batch: list[dict]) -> list[FoundPeople]:
        time.sleep(self.delay)
        self.batches.append(len(batch))
        return [self._people(data['inputs']) for data in batch]

    def _people(self, picture: np.ndarray) -> FoundPeople:
        height, width = (n // 2 for n in picture.shape[:2])
        corners = [(x, y) for y in (0, height) for x in (0, width)]
        found = [(x, y) for x, y in corners if picture[y : y + height, x : x + width].mean() > 128]
        boxes = np.array([[x, y, x + width, y + height] for x, y in found], np.float32)
        vectors = [embedding(picture[y : y + height, x : x + width]) for x, y in found]
        return FoundPeople(
            boxes.reshape(-1, 4),
            np.linspace(0.9, 0.5, len(found), dtype=np.float32),
            np.array(vectors, np.float32).reshape(-1, DIMS),
        )


def embedding(pixels: np.ndarray) -> np.ndarray:
    """A unit vector that depends on the coarse colours alone, so that video coding keeps it."""
    digest = hashlib.sha256((pixels.mean() // 8).tobytes()).digest()
    vector = np.random.default_rng(int.from_bytes(digest[:8], 'little')).normal(size=DIMS)
    return vector / np.linalg.norm(vector)


def scene(seed: int, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """Quarters of random brightness, (H, W, 3)."""
    quarters = np.random.default_rng(seed).integers(0, 256, (2, 2, 3)).astype(np.uint8)
    quarters[0, 0] = 200  # somebody is always there
    return np.repeat(np.repeat(quarters, size[0] // 2, axis=0), size[1] // 2, axis=1)


def write_scenes(folder: Path, count: int, first: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{number:04d}.png' for number in range(first, first + count)]
    for path in paths:
        write(path, scene(int(path.stem)))
    return paths


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def write_video(path: Path, frames: int, fps: float = 10.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, (96, 64))
    for number in range(frames):
        writer.write(scene(number // 5))
    writer.release()
    return path
