"""A model of a few lines."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from mmclsa.gallery import ModelFingerprint
from mmclsa.structures import FoundPeople

DIMS = 8


class FakeEmbedder:
    """Finds one person for each bright quarter; the embedding is a hash of its pixels."""

    det_thresh = 0.5

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.batches: list[int] = []

    @property
    def fingerprint(self) -> ModelFingerprint:
        return ModelFingerprint('a' * 64, 'b' * 64, DIMS)

    def prepare(self, picture: np.ndarray) -> dict:
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        return {'inputs': picture}

    def find_people(self, batch: list[dict]) -> list[FoundPeople]:
        time.sleep(self.delay)
        self.batches.append(len(batch))
        return [self._people(data['inputs']) for data in batch]

    def embed_boxes(self, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        cuts = np.asarray(boxes).round().astype(int).tolist()
        return np.array([embedding(picture[y1:y2, x1:x2]) for x1, y1, x2, y2 in cuts], np.float32)

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
