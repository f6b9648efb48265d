"""Filters: the mask of FAISS and the expression of Milvus let the same rows through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from tests.test_gallery.people import MODEL, needs_milvus, passes

ODD = [
    '',
    'a "door"',
    "it's",
    'back\\slash',
    'two\nlines',
    'tab\t',
    'größe 🚪',
    '100%',
    '{x}',
    '\\"',
]
FILTERS = [
    SearchFilter(),
    SearchFilter(cameras=[]),
    *(SearchFilter(cameras=[name]) for name in ODD),
    SearchFilter(cameras=ODD[:4], sources=['été 1/clip.mp4', 'été 2/clip.mp4']),
    SearchFilter(time_from=20.0),
    SearchFilter(time_from=-math.inf),
    SearchFilter(time_to=math.inf),
    SearchFilter(time_from=20.0, time_to=20.0),
    SearchFilter(time_from=21.0, time_to=20.0),
    SearchFilter(cameras=np.array(["it's"]), time_to=np.float32(30)),
]


@pytest.fixture(scope='module')
def odd_records() -> list[GalleryRecord]:
    times = [math.nan, 0.0, 20.0, 1.7e9, -5.0]
    return [
        GalleryRecord(f'été {i % 3}/clip.mp4', i, times[i % 5], (0, 0, 1, 1), 1.0, ODD[i % 10])
        for i in range(60)
    ]


@pytest.mark.parametrize('committed', [0, 25, 60])
def test_mask_is_what_the_conditions_say(folder, people, odd_records, committed):
    """Of people in the database and of those who are not yet there, each once deleted or not."""
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(people.vectors[:committed], odd_records[:committed])
        gone = [3, 4, 20][: committed // 20]
        if gone:
            index.delete(gone)
        index.add(people.vectors[committed:60], odd_records[committed:])
        for where in FILTERS:
            expected = [
                passes(record, where) for row, record in enumerate(odd_records) if row not in gone
            ]
            assert index._records.mask(where).tolist() == expected, where


@needs_milvus
def test_milvus_understands_every_name(folder, people, odd_records):
    with GalleryIndex.create(folder, MODEL, {'type': 'MilvusBackend'}) as index:
        index.add(people.vectors[:60], odd_records)
        for where in FILTERS:
            expected = {row for row, record in enumerate(odd_records) if passes(record, where)}
            (hits,) = index.search(people.vectors[:1], 60, where)
            assert {hit.row for hit in hits} == expected, where


def test_a_narrow_filter_finds_all_there_are(folder, people):
    """Also where the lists that an inverted file looks into hold too few."""
    backend = {
        'type': 'FaissBackend',
        'kind': 'ivf_pq',
        'structure_from': 100,
        'lists': 16,
        'probes': 1,
        'code_bytes': 12,
    }
    copies = 8
    vectors = np.concatenate([people.vectors] * copies)
    records = people.records * copies
    with GalleryIndex.create(folder, MODEL, backend) as index:
        index.add(vectors, records)
        index.optimize()
        for where in (SearchFilter(sources=['été 3/clip.mp4']), SearchFilter(time_from=300.0)):
            for found in index.search(people.vectors[:20], 700, where):
                assert len(found) == min(700, sum(passes(record, where) for record in records))
                assert all(passes(hit.record, where) for hit in found)
                assert len({hit.row for hit in found}) == len(found)


def test_a_filter_used_again_sees_new_rows(folder, people):
    where = SearchFilter(cameras=['cam 1'])
    with GalleryIndex.create(folder, MODEL) as index:
        for start in range(0, 60, 10):
            index.add(people.vectors[start : start + 10], people.records[start : start + 10])
            if start == 30:
                index.commit()
            for _ in range(2):
                (hits,) = index.search(people.vectors[:1], 60, where)
                allowed = [row for row in range(start + 10) if passes(people.records[row], where)]
                assert sorted(hit.row for hit in hits) == allowed


@pytest.mark.parametrize('options', [{'cameras': 'door'}, {'sources': 'a'}, {'time_to': math.nan}])
def test_filters_without_meaning(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        SearchFilter(**options)


@pytest.mark.parametrize('backend', ['flat-fp32', 'milvus'], indirect=True)
@pytest.mark.parametrize('where', [None, SearchFilter(cameras=ODD[1:6], time_from=-1.0)])
def test_rows_that_may_not_be_found(folder, backend, people, odd_records, where):
    """Those committed, those not yet, and one that was deleted, with a filter and without."""
    with GalleryIndex.create(folder, MODEL, backend) as index:
        index.add(people.vectors[:40], odd_records[:40])
        index.delete([7])
        index.add(people.vectors[40:60], odd_records[40:])
        (every,) = index.search(people.vectors[:1], 60, where)
        without = [7, every[0].row, every[3].row, every[-1].row, 41, 59]
        (found,) = index.search(people.vectors[:1], 60, where, without=without)
        (few,) = index.search(people.vectors[:1], 4, where, without=without)
    expected = [hit.row for hit in every if hit.row not in without]
    assert [hit.row for hit in found] == expected
    assert [hit.row for hit in few] == expected[:4]
