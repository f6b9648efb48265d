"""Indexes of made-up sightings that know probabilities."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint
from mmclsa.structures import PAIR_BINS, PairCounts, Stay, TrackFrames

DIMS = 32
MODEL = ModelFingerprint('a' * 64, 'b' * 64, DIMS)


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def made_up_pairs(same: float = 0.7, different: float = 0.1, count: int = 2000) -> PairCounts:
    """Pairs whose cosines scatter by 0.15 about two means."""
    rng = np.random.default_rng(0)
    draws = [np.clip(rng.normal(mean, 0.15, count), -1, 1) for mean in (same, different)]
    return PairCounts(*(np.histogram(d, PAIR_BINS, (-1, 1))[0].astype(np.int64) for d in draws))


def crop_of(seed: int, size: tuple[int, int] = (60, 30)) -> bytes:
    colour = np.random.default_rng(seed).integers(0, 256, 3, np.uint8)
    return cv2.imencode('.jpg', np.broadcast_to(colour, (*size, 3)).copy())[1].tobytes()


def make_sightings(
    path: Path,
    vectors: np.ndarray,
    pairs: PairCounts | None = None,
    starts: list[int] | None = None,
    crops: bool = True,
    **columns: list,
) -> GalleryIndex:
    """An index of a sighting a vector, of ten frames each, 10 frames a second, in one video.

    Sighting ``n`` begins at ``starts[n]``, by default when the one before is over. Those who may
    be there at once stand side by side, unless ``lefts`` says where.
    """
    count = len(vectors)
    lefts = columns.get('lefts', [0.0 if starts is None else 60.0 * n for n in range(count)])
    starts = [20 * n for n in range(count)] if starts is None else starts
    records, behind = [], []
    for n, start in enumerate(starts):
        frames = np.arange(start, start + 10)
        records.append(
            GalleryRecord(
                source=columns.get('source', ['a.avi'] * count)[n],
                frame=start + 4,
                time=(start + 4) / 10,
                box=(lefts[n], 0.0, lefts[n] + 10.0 + n, 20.0),
                score=0.9,
                camera=columns.get('camera', ['door'] * count)[n],
                track_id=columns.get('track_id', list(range(count)))[n],
                stay=Stay(start, start + 9, start / 10, (start + 9) / 10, 10),
            )
        )
        boxes = np.tile(np.array(records[-1].box, np.float32), (10, 1))
        behind.append(TrackFrames(frames, frames / 10, boxes, np.full(10, 0.9, np.float32)))
    index = GalleryIndex.create(path, MODEL)
    index.add(
        vectors,
        records,
        shard='a',
        crops=[crop_of(n) for n in range(count)] if crops else None,
        behind=behind,
        pairs=pairs,
    )
    index.commit()
    return index
