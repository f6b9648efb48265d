"""Made-up people, and slow searches to compare with."""

from __future__ import annotations

import importlib.util
import math
from typing import NamedTuple

import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint, SearchFilter

DIMS = 24
needs_milvus = pytest.mark.skipif(
    not (importlib.util.find_spec('pymilvus') and importlib.util.find_spec('milvus_lite')),
    reason='pymilvus with Milvus Lite is not installed',
)
MODEL = ModelFingerprint('a' * 64, 'b' * 64, DIMS)
BACKENDS = {
    'milvus': {'type': 'MilvusBackend'},
    'flat-fp32': {'type': 'FaissBackend'},
    'flat-fp16': {'type': 'FaissBackend', 'storage': 'fp16'},
    'flat-int8': {'type': 'FaissBackend', 'storage': 'int8'},
    'hnsw-fp16': {'type': 'FaissBackend', 'kind': 'hnsw', 'storage': 'fp16', 'structure_from': 100},
    'ivf_pq-fp32': {
        'type': 'FaissBackend',
        'kind': 'ivf_pq',
        'structure_from': 100,
        'lists': 4,
        'probes': 4,
        'code_bytes': 12,
        'candidates': 100,
    },
    'ivf_pq-int8': {
        'type': 'FaissBackend',
        'kind': 'ivf_pq',
        'storage': 'int8',
        'structure_from': 100,
        'lists': 4,
        'probes': 4,
        'code_bytes': 12,
        'candidates': 100,
    },
}


class People(NamedTuple):
    vectors: np.ndarray
    records: list[GalleryRecord]


def unit(array: np.ndarray) -> np.ndarray:
    return (array / np.linalg.norm(array, axis=-1, keepdims=True)).astype(np.float32)


def make_people(count: int, seed: int = 0) -> People:
    """People in three cameras and five sources; every fifth has no time."""
    rng = np.random.default_rng(seed)
    records = [
        GalleryRecord(
            source=f'été {i % 5}/clip.mp4',
            frame=i,
            time=float(i) if i % 5 else math.nan,
            box=(0.1 * i, 1.0, 0.1 * i + 7.3, 20.0),
            score=(i % 10) / 10,
            camera=f'cam {i % 3}' if i % 7 else '',
            track_id=i % 11 - 1,
        )
        for i in range(count)
    ]
    return People(unit(rng.normal(size=(count, DIMS))), records)


def fill(index: GalleryIndex, people: People, commits: list[int], start: int = 0) -> None:
    """Add the people in parts that end at the given places, one commit each."""
    for first, stop in zip([start, *commits[:-1]], commits):
        index.add(people.vectors[first:stop], people.records[first:stop], f'part {first}')
        index.commit()


def literal_search(people: People, query: np.ndarray, topk: int, where=None) -> list[int]:
    """Rows by similarity, one person at a time."""
    allowed = [row for row, record in enumerate(people.records) if passes(record, where)]
    return sorted(allowed, key=lambda row: (-float(people.vectors[row] @ query), row))[:topk]


def passes(record: GalleryRecord, where: SearchFilter | None) -> bool:
    if where is None:
        return True
    if where.cameras is not None and record.camera not in where.cameras:
        return False
    if where.sources is not None and record.source not in where.sources:
        return False
    if where.time_from is not None and not record.time >= where.time_from:
        return False
    return where.time_to is None or record.time <= where.time_to


def same_records(ones: list[GalleryRecord], others: list[GalleryRecord]) -> bool:
    """Unknown times are equal, which NaN and NaN are not."""
    return list(map(repr, ones)) == list(map(repr, others))
