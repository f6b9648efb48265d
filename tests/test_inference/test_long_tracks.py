"""Searching tracks of many rows: whole stays, and as many hits as there are."""

from __future__ import annotations

import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.inference import rank_people
from mmclsa.inference.results import time_span
from mmclsa.structures import Stay
from tests.test_inference.sightings import DIMS, MODEL, made_up_pairs, make_sightings, unit


def test_a_hit_has_the_stay_of_its_whole_track(tmp_path):
    """Three units of 500 frames; of the last the track has one frame alone."""
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=DIMS) + 0.01 * rng.normal(size=(4, DIMS)))
    stays = [Stay(n * 500, n * 500 + 499, n * 20.0, n * 20 + 19.9, 450) for n in range(2)]
    records = [
        GalleryRecord('a.mp4', 507, 20.2, (0, 0, 10, 20), 0.9, 'c', 9, stays[1]),
        GalleryRecord('a.mp4', 7, 0.2, (0, 0, 10, 20), 0.9, 'c', 9, stays[0]),
        GalleryRecord('a.mp4', 1000, 40.0, (0, 0, 10, 20), 0.9, 'c', 9),
        GalleryRecord('b.mp4', 9, 0.4, (0, 0, 10, 20), 0.9, 'c', 9),
    ]
    with GalleryIndex.create(tmp_path / 'i', MODEL) as index:
        index.add(vectors, records, 'u')
        index.commit()
        hits = {hit.record.source: hit for hit in rank_people(index, vectors[0], 5)}
        early = SearchFilter(time_from=0, time_to=5, sources=['a.mp4'])
        (narrowed,) = rank_people(index, vectors[0], 5, early)
        (frame, *_) = rank_people(index, vectors[0], 5, unit='frame')
    whole = Stay(0, 1000, 0.0, 40.0, 901)
    assert (hits['a.mp4'].row, hits['a.mp4'].record.frame) == (0, 507)
    assert hits['a.mp4'].record.stay == whole
    assert time_span(hits['a.mp4'].record) == '0:00:00.0 - 0:00:40.0'
    assert (narrowed.row, narrowed.record.stay) == (1, whole)
    assert hits['b.mp4'].record.stay is None
    assert frame.record.stay == stays[1]


def test_a_track_of_very_many_rows_does_not_hide_the_others(tmp_path):
    rng = np.random.default_rng(1)
    many, others = 42_000, 30
    vectors = rng.normal(size=(many + others, DIMS))
    vectors[:many] = vectors[0] + 0.01 * rng.normal(size=(many, DIMS))
    tracks = [0 if n < many else n for n in range(many + others)]
    records = [
        GalleryRecord('a.mp4', n, n / 25, (0, 0, 10, 20), 0.9, 'c', t) for n, t in enumerate(tracks)
    ]
    vectors = unit(vectors)
    with GalleryIndex.create(tmp_path / 'i', MODEL) as index:
        index.add(vectors, records, 'u')
        index.commit()
        hits = rank_people(index, vectors[0], 10)
        everybody = rank_people(index, vectors[0], 100)
    expected = np.argsort(-vectors[many:] @ vectors[0], kind='stable') + many
    assert [hit.row for hit in hits[1:]] == expected[:9].tolist()
    assert [hit.row for hit in everybody[1:]] == expected.tolist()


def test_reranked_hits_are_cut_after_the_improbable_ones_are_left_out(tmp_path):
    vectors = unit(np.random.default_rng(2).normal(size=(60, DIMS)) + 0.3)
    with make_sightings(tmp_path / 'i', vectors, made_up_pairs(0.4, 0.1)) as index:
        for query in range(0, 60, 7):
            every = rank_people(index, vectors[query], 60, rerank=True)
            probable = [hit.row for hit in every if hit.probability >= 0.5]
            hits = rank_people(index, vectors[query], 5, rerank=True, min_probability=0.5)
            assert [hit.row for hit in hits] == probable[:5]
