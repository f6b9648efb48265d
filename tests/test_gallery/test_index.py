"""GalleryIndex over every backend: what a search finds, what a folder keeps."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery import (
    Contents,
    GalleryIndex,
    ModelFingerprint,
    ModelIdentity,
    SearchFilter,
)
from mmclsa.gallery.backends import faiss_structures
from tests.test_gallery.people import (
    BACKENDS,
    DIMS,
    MODEL,
    fill,
    literal_search,
    same_records,
    unit,
)

FILTERS = [
    None,
    SearchFilter(cameras=['cam 1']),
    SearchFilter(cameras=['cam 0', '']),
    SearchFilter(time_from=100.0, time_to=201.0),
    SearchFilter(time_to=31.0),
    SearchFilter(sources=['été 2/clip.mp4'], cameras=['cam 2']),
    SearchFilter(cameras=['no such camera']),
]

# So that no structure misses anybody.
THOROUGH = {'hnsw': {'ef_search': 600}, 'ivf_pq': {'probes': 4, 'candidates': 600}}


def rows(hits):
    return [[hit.row for hit in row] for row in hits]


@pytest.mark.parametrize('optimized', [False, True])
def test_finds_what_a_literal_search_finds(folder, people, backend, optimized):
    rng = np.random.default_rng(7)
    queries = unit(people.vectors[[5, 77, 301]] + 0.05 * rng.normal(size=(3, DIMS)))
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [250, 450, 600])
        if optimized:
            index.optimize()
    with GalleryIndex.open(folder, MODEL) as index:
        assert len(index) == 600
        for where in FILTERS:
            hits = index.search(queries, 10, where)
            for query, found in zip(queries, hits):
                expected = literal_search(people, query, 10, where)
                assert len(found) == len(expected), where
                agreement = len({hit.row for hit in found} & set(expected))
                assert agreement >= len(expected) - 2, where
                assert [hit.row for hit in found[:1]] == expected[:1]
                for hit in found:
                    assert same_records([hit.record], [people.records[hit.row]])
                    assert hit.similarity == pytest.approx(
                        float(people.vectors[hit.row] @ query), abs=0.02
                    )


def test_exact_storage_gives_the_exact_order(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [100, 600])
        hits = index.search(people.vectors[:20], 25)
    expected = [literal_search(people, query, 25) for query in people.vectors[:20]]
    assert rows(hits) == expected


def test_split_of_adds_does_not_matter(tmp_path, people, backend):
    found = []
    for number, commits in enumerate([[600], [1, 2, 599, 600], list(range(30, 601, 30))]):
        with GalleryIndex.create(tmp_path / str(number), MODEL, backend) as index:
            fill(index, people, commits)
            before = index.search(people.vectors[:9], 10)
            index.optimize()
            found.append((before, index.search(people.vectors[:9], 10), index.records()))
    for before, after, records in found[1:]:
        assert rows(before) == rows(found[0][0])
        assert rows(after) == rows(found[0][1])
        assert same_records(records, people.records)


def test_rows_are_found_before_their_commit_but_not_kept(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [40])
        index.add(people.vectors[40:60], people.records[40:60], 'uncommitted')
        assert len(index) == 60
        assert rows(index.search(people.vectors[[50]], 1)) == [[50]]
        assert 'uncommitted' in index.shards()
        assert [record.frame for record in index.records([50, 3])] == [50, 3]
        assert np.allclose(index.embeddings([50, 3]), people.vectors[[50, 3]], atol=0.03)
    with GalleryIndex.open(folder, writable=True) as index:
        assert len(index) == 40
        assert index.shards() == {'part 0'}
        index.add(people.vectors[100:120], people.records[100:120], 'after')
        index.commit()
        assert rows(index.search(people.vectors[[50]], 1)) != [[50]]
        assert rows(index.search(people.vectors[[110]], 1)) == [[50]]


def test_a_shard_is_taken_once(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for _ in range(2):
            index.add(people.vectors[:5], people.records[:5], 'a')
        index.commit()
        index.add(people.vectors[:5], people.records[:5], 'a')
        index.add(np.empty((0, DIMS)), [], 'nobody')
        index.commit()
    with GalleryIndex.open(folder, writable=True) as index:
        index.add(people.vectors[:5], people.records[:5], 'a')
        assert len(index) == 5
        assert index.shards() == {'a', 'nobody'}
        index.add(people.vectors[:5], people.records[:5])
        index.optimize()
        assert len(index) == 10
        assert index.shards() == {'a', 'nobody'}


def test_empty_index(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        index.commit()
        index.optimize()
        assert index.search(people.vectors[:2]) == [[], []]
        assert index.records() == []
        assert index.embeddings([]).shape == (0, DIMS)


def test_fewer_people_than_asked_for(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        index.add(people.vectors[:3], people.records[:3])
        index.commit()
        assert sorted(rows(index.search(people.vectors[[0]], 10))[0]) == [0, 1, 2]
        assert index.search(people.vectors[:0]) == []


def test_another_model_is_refused(folder, people):
    GalleryIndex.create(folder, MODEL).close()
    other = ModelFingerprint('c' * 64, 'b' * 64, DIMS)
    with pytest.raises(ConfigError, match='another model: config aaaaaaaaaaaa instead of cccc'):
        GalleryIndex.open(folder, other)
    GalleryIndex.open(folder, MODEL, writable=True).close()


def test_former_name_of_the_fingerprint():
    assert ModelIdentity is ModelFingerprint


def test_second_writer_is_refused_and_readers_are_not(folder, people):
    with GalleryIndex.create(folder, MODEL):
        with pytest.raises(UserError, match='being written by another process'):
            GalleryIndex.open(folder, writable=True)
        GalleryIndex.open(folder).close()
    GalleryIndex.open(folder, writable=True).close()


def test_one_reader_in_several_threads(folder, people):
    """Each sees a whole commit, also while another takes over the next one."""
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [100])
    wrong: list[object] = []

    def read() -> None:
        try:
            for _ in range(100):
                reader.refresh()
                found = reader.search(people.vectors[5:6], 3)
                wrong.extend(hits for hits in found if hits[0].row != 5)
                reader.contents()
        except Exception as error:
            wrong.append(error)

    with GalleryIndex.open(folder) as reader:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
    assert wrong == []


def test_create_refuses_what_is_there(folder, tmp_path):
    GalleryIndex.create(folder, MODEL).close()
    with pytest.raises(ConfigError, match='already'):
        GalleryIndex.create(folder, MODEL)
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'a.jpg').touch()
    with pytest.raises(ConfigError, match=r'a\.jpg'):
        GalleryIndex.create(tmp_path / 'photos', MODEL)
    assert [path.name for path in (tmp_path / 'photos').iterdir()] == ['a.jpg'], 'not even a lock'
    with pytest.raises(ConfigError, match='folder'):
        GalleryIndex.create(tmp_path / 'photos' / 'a.jpg', MODEL)


@pytest.mark.parametrize(
    ('options', 'word'),
    [
        ({'type': 'NoBackend'}, 'NoBackend'),
        ({'type': 'FaissBackend', 'kind': 'tree'}, 'tree'),
        ({'type': 'FaissBackend', 'storage': 'fp8'}, 'fp8'),
        ({'type': 'FaissBackend', 'probes': 0}, 'probes'),
        ({'type': 'FaissBackend', 'speed': 9}, 'speed'),
    ],
)
def test_backend_without_meaning(folder, options, word):
    with pytest.raises(ConfigError, match=word):
        GalleryIndex.create(folder, MODEL, options)
    assert not folder.exists()


@pytest.mark.parametrize('backend', ['hnsw-fp16', 'ivf_pq-fp32', 'ivf_pq-int8'], indirect=True)
def test_a_structure_goes_on_from_the_one_before(folder, people, backend, monkeypatch):
    """Nothing is trained or linked twice, and those who came first and last are found."""
    added = []
    blocks = faiss_structures._blocks

    def spy(flat, first, last):
        added.append((first, last))
        return blocks(flat, first, last)

    monkeypatch.setattr(faiss_structures, '_blocks', spy)
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [400])
        index.optimize()
    added.clear()
    monkeypatch.setattr(faiss_structures, '_train_inverted_file', None)
    for upto in (500, 600):
        with GalleryIndex.open(folder, MODEL, writable=True) as index:
            fill(index, people, [upto], start=upto - 100)
            index.optimize()
            index.verify()
        assert added[-1] == (upto - 100, upto)
    assert len(list(folder.glob('structure-*'))) == 1
    with GalleryIndex.open(folder, MODEL, options=THOROUGH[backend['kind']]) as index:
        found = index.search(people.vectors, 5)
    for row, hits in enumerate(found):
        exact = literal_search(people, people.vectors[row], 5, SearchFilter())
        assert hits[0].row == row
        assert len({hit.row for hit in hits} & set(exact)) >= 4


def test_a_broken_structure_is_built_anew(folder, people):
    with GalleryIndex.create(folder, MODEL, BACKENDS['hnsw-fp16']) as index:
        fill(index, people, [400])
        index.optimize()
        (structure,) = folder.glob('structure-*')
        structure.write_bytes(structure.read_bytes()[:100])
        fill(index, people, [600], start=400)
        index.optimize()
    with GalleryIndex.open(folder, MODEL) as index:
        assert [hits[0].row for hits in index.search(people.vectors, 1)] == list(range(600))


def test_search_options_differ_from_those_of_the_build(folder, people):
    """A search through one list of four misses somebody; what is stored stays as it is."""
    options = {'probes': 1, 'candidates': 10}
    with GalleryIndex.create(folder, MODEL, {**BACKENDS['ivf_pq-fp32'], **options}) as index:
        fill(index, people, [600])
        index.optimize()
    found = []
    for chosen in (None, {'probes': 4, 'candidates': 600}):
        with GalleryIndex.open(folder, MODEL, options=chosen) as index:
            found.append(rows(index.search(people.vectors[:50], 10)))
    exact = [literal_search(people, query, 10, SearchFilter()) for query in people.vectors[:50]]
    right = [sum(len(set(a) & set(b)) for a, b in zip(part, exact)) for part in found]
    assert right[0] < right[1] == 500
    for wrong in ({'lists': 8}, {'storage': 'fp16'}, {'type': 'MilvusBackend'}):
        with pytest.raises(ConfigError, match='settled when an index is built'):
            GalleryIndex.open(folder, MODEL, options=wrong)


def test_embeddings_without_meaning(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        for vectors, word in [
            (people.vectors[:2] * 2, 'unit length'),
            (people.vectors[:2] * np.nan, 'unit length'),
            (people.vectors[:2, :5], 'shape'),
            (people.vectors[:3], '3 embeddings came with 2 records'),
        ]:
            with pytest.raises(DataError, match=word):
                index.add(vectors, people.records[:2])
        with pytest.raises(DataError, match='no row 0'):
            index.embeddings([0])
        with pytest.raises(ConfigError, match='topk'):
            index.search(people.vectors[:1], 0)
    with GalleryIndex.open(folder) as index, pytest.raises(ConfigError, match='for writing'):
        index.add(people.vectors[:1], people.records[:1])


def test_contents_are_what_is_committed(folder, people, backend):
    def expected(records):
        times = [record.time for record in records if not math.isnan(record.time)]
        cameras = Counter(record.camera for record in records)
        sources = {record.source for record in records}
        return Contents(len(records), len(sources), dict(cameras), min(times), max(times))

    with GalleryIndex.create(folder, MODEL, backend) as index:
        assert repr(index.contents()) == repr(Contents(0, 0, {}))
        fill(index, people, [100])
        assert index.contents() == expected(people.records[:100])
        with GalleryIndex.open(folder) if backend['type'] != 'MilvusBackend' else index as reader:
            index.add(people.vectors[100:], people.records[100:])
            found = reader.contents()
            assert found == expected(people.records[:100])
            unknown = [r.camera for r in people.records[:100] if math.isnan(r.time)]
            assert {k: v for k, v in found.untimed.items() if v} == Counter(unknown)
            assert sum(found.since_start.values()) == 100 - len(unknown)
            index.commit()
            if reader is not index:
                assert reader.contents() == expected(people.records[:100])
                reader.refresh()
                assert len(reader) == 600
            assert reader.contents() == expected(people.records)


def test_contents_of_unknown_times(folder, people):
    unknown = [replace(record, time=math.nan) for record in people.records[:3]]
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(people.vectors[:3], unknown)
        index.commit()
        assert math.isnan(index.contents().time_from)
        assert index.contents().people == 3


def test_filters_of_search_and_find_agree(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [600])
        for where in FILTERS[1:]:
            (hits,) = index.search(people.vectors[:1], 600, where)
            assert sorted(hit.row for hit in hits) == index.find(where).tolist()
        assert index.find(SearchFilter()).tolist() == list(range(600))
