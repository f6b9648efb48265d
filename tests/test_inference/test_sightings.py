"""Searching sightings: probabilities, confirmed and rejected rows, search from rows, people."""

from __future__ import annotations

import copy
import json
import pickle

import cv2
import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError
from mmclsa.evaluation.functional import (
    fit_calibration,
    group_people,
    normalise_scores,
    refine_query,
)
from mmclsa.gallery import SearchFilter
from mmclsa.gallery.fiftyone_export import marks_of_results
from mmclsa.inference import (
    GalleryHits,
    QueryPerson,
    calibration_of,
    people_of_index,
    queries,
    rank_people,
    search_from_rows,
)
from mmclsa.structures import PairCounts
from tests.test_inference.sightings import DIMS, made_up_pairs, make_sightings, unit


@pytest.fixture
def vectors() -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(40, DIMS)))


@pytest.fixture
def query() -> np.ndarray:
    return unit(np.random.default_rng(1).normal(size=DIMS))


def rows(hits) -> list[int]:
    return [hit.row for hit in hits]


class TestUnits:
    def test_a_sighting_is_a_track_of_a_source(self, tmp_path, vectors, query):
        tracks = [n // 4 if n < 20 else -1 for n in range(40)]
        with make_sightings(tmp_path / 'i', vectors, track_id=tracks) as index:
            by_default = rank_people(index, query, 40)
            frames = rank_people(index, query, 40, unit='frame')
            former = rank_people(index, query, 40, group_by_track=False)
            grouped = rank_people(index, query, 40, group_by_track=True, unit='frame')
        assert len(frames) == 40
        assert len(by_default) == 25
        assert rows(former) == rows(frames)
        assert rows(grouped) == rows(by_default)
        kept = {tracks[row] for row in rows(by_default) if tracks[row] >= 0}
        assert kept == set(range(5))

    def test_unit_is_checked(self, tmp_path, vectors, query):
        with (
            make_sightings(tmp_path / 'i', vectors) as index,
            pytest.raises(ConfigError, match="'sighting' or 'frame', but is 'track'"),
        ):
            rank_people(index, query, unit='track')


class TestProbabilities:
    def test_of_a_single_look_is_that_of_the_cosine(self, tmp_path, vectors, query):
        pairs = made_up_pairs()
        with make_sightings(tmp_path / 'i', vectors, pairs) as index:
            hits = rank_people(index, query, 10)
            learnt = calibration_of(index)
        calibration = fit_calibration(pairs)
        expected = [calibration.probability(hit.similarity) for hit in hits]
        assert [hit.probability for hit in hits] == pytest.approx(expected)
        assert learnt.calibration.num_same == 2000

    def test_of_several_looks_is_on_the_scale_of_single_ones(self, tmp_path):
        """Means of many looks are alike, all of them: raw cosines would be taken for matches."""
        rng = np.random.default_rng(2)
        common = 2.5 * unit(rng.normal(size=DIMS))
        vectors = unit(common + unit(rng.normal(size=(60, DIMS))))
        vectors[1] = unit(vectors[0] + 0.05 * vectors[2])
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs(0.7, 0.1)) as index:
            single = rank_people(index, vectors[0], 59, left_out=[0])
            several = rank_people(index, vectors[0], 59, left_out=[0], looks=10)
        assert min(hit.probability for hit in single) > 0.9  # cosines of 0.8 and more
        assert np.median([hit.probability for hit in several]) < 0.3
        assert several[0].row == 1
        assert several[0].probability > 0.9
        assert rows(single) == rows(several)

    def test_rows_of_one_track_do_not_count_as_others(self, tmp_path):
        """Each of four people has ten rows that are nearly the same."""
        rng = np.random.default_rng(3)
        faces = unit(rng.normal(size=(4, DIMS)))
        vectors = unit(faces[np.arange(40) // 10] + 0.02 * rng.normal(size=(40, DIMS)))
        tracks = [row // 10 for row in range(40)]
        pairs = made_up_pairs()
        with make_sightings(tmp_path / 'i', vectors, pairs, track_id=tracks) as index:
            found = rank_people(index, vectors[0], 40, unit='frame', looks=2)
            similarities = vectors @ vectors.T
        others = similarities[np.not_equal.outer(tracks, tracks)]
        expected = normalise_scores(
            np.array([hit.similarity for hit in found]), others, pairs.different
        )
        calibration = fit_calibration(pairs)
        assert np.allclose(
            [hit.probability for hit in found], calibration.probability(expected), atol=0.02
        )

    def test_least_probability(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs()) as index:
            everybody = rank_people(index, vectors[3], 40)
            probable = rank_people(index, vectors[3], 40, min_probability=0.5)
        expected = [hit for hit in everybody if hit.probability >= 0.5]
        assert rows(probable) == rows(expected)
        assert 1 <= len(expected) < 40

    def test_index_that_knows_none(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors) as index:
            assert all(hit.probability is None for hit in rank_people(index, vectors[0], 5))
            with pytest.raises(ConfigError, match='0 pairs of one person and 0 of two, and 50'):
                rank_people(index, vectors[0], min_probability=0.5)
            with pytest.raises(ConfigError, match=r'must lie in 0\.\.1, but is 1\.5'):
                rank_people(index, vectors[0], min_probability=1.5)

    def test_few_rows_and_several_looks(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors[:4], made_up_pairs()) as index:
            assert rank_people(index, vectors[0])[0].probability is not None
            assert rank_people(index, vectors[0], looks=2)[0].probability is None
            with pytest.raises(ConfigError, match='more people than the 4 rows'):
                rank_people(index, vectors[0], looks=2, min_probability=0.5)

    def test_is_learnt_anew_when_the_index_grows(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors[:20], made_up_pairs()) as index:
            before = calibration_of(index).calibration
            assert calibration_of(index).calibration is before
            index.add(vectors[20:], index.records()[:20], shard='b', pairs=made_up_pairs(0.9))
            index.commit()
            after = calibration_of(index).calibration
        assert after.num_same == 2 * before.num_same

    def test_scraps_that_are_like_nobody_do_not_make_others_seem_alike(self, tmp_path):
        """Twelve people at once, who are alike to the model, and thirty scraps."""
        rng = np.random.default_rng(4)
        common = 2.5 * unit(rng.normal(size=DIMS))
        people = unit(common + unit(rng.normal(size=(12, DIMS))))
        vectors = np.concatenate([people, unit(rng.normal(size=(30, DIMS)))])
        starts = [0] * 12 + [20 * n for n in range(1, 31)]
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs(), starts) as index:
            hits = search_from_rows(index, [0], 11).hits
        assert sorted(rows(hits)) == list(range(1, 12))
        assert np.median([hit.probability for hit in hits]) < 0.2


class TestFeedback:
    def test_query_moves(self, tmp_path, vectors, query):
        with make_sightings(tmp_path / 'i', vectors) as index:
            hits = rank_people(index, query, 40, confirmed=[3, 7], rejected=[11])
        moved = refine_query(query, vectors[[3, 7]], vectors[[11]])
        expected = [row for row in np.argsort(-vectors @ moved).tolist() if row != 11]
        assert rows(hits) == expected
        assert hits[0].similarity == pytest.approx(float(vectors[expected[0]] @ moved), abs=1e-3)

    def test_rejected_sightings_are_left_out_whole(self, tmp_path, vectors, query):
        tracks = [n // 4 for n in range(40)]
        with make_sightings(tmp_path / 'i', vectors, track_id=tracks) as index:
            hits = rank_people(index, query, 40, unit='frame', rejected=[5])
            few = rank_people(index, query, 36, unit='frame', rejected=[5])
        assert sorted(rows(hits)) == [row for row in range(40) if row // 4 != 1]
        assert rows(few) == rows(hits)

    def test_as_many_are_found_as_asked_for(self, tmp_path, vectors, query):
        """Also where the best of all are rejected."""
        with make_sightings(tmp_path / 'i', vectors) as index:
            best = rows(rank_people(index, query, 15))
            hits = rank_people(index, query, 20, rejected=best)
        assert len(hits) == 20
        assert not set(rows(hits)) & set(best)

    def test_wrong_rows(self, tmp_path, vectors, query):
        with make_sightings(tmp_path / 'i', vectors) as index:
            with pytest.raises(ConfigError, match='row 3 cannot be both'):
                rank_people(index, query, confirmed=[3], rejected=[3])
            with pytest.raises(DataError, match='no row 99'):
                rank_people(index, query, confirmed=[99])
            with pytest.raises(DataError, match='no row 99'):
                rank_people(index, query, rejected=[99])


class TestFromRows:
    def test_equals_a_search_without_the_row(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs()) as index:
            result = search_from_rows(index, [4], 39)
            (stored,) = index.embeddings([4])
        expected = [row for row in np.argsort(-vectors @ stored, kind='stable') if row != 4]
        assert rows(result.hits) == expected
        assert all(hit.probability is not None for hit in result.hits)
        (query,) = result.query
        assert query.row == 4
        assert query.picture.shape == (60, 30, 3)
        assert query.box.tolist() == [0, 0, 30, 60]

    def test_its_sighting_is_left_out(self, tmp_path, vectors):
        tracks = [n // 4 for n in range(40)]
        with make_sightings(tmp_path / 'i', vectors, track_id=tracks) as index:
            result = search_from_rows(index, [4, 21], 40, unit='frame')
        assert sorted(rows(result.hits)) == [n for n in range(40) if n // 4 not in (1, 5)]

    def test_without_crop_or_footage(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors, crops=False) as index:
            result = search_from_rows(index, [4])
        assert result.query[0].picture.shape == (128, 64, 3)
        assert result.draw().dtype == np.uint8

    @pytest.mark.parametrize('crops', [True, False])
    def test_picture_of_the_query_is_loaded_when_it_is_drawn(
        self, tmp_path, vectors, monkeypatch, crops
    ):
        loaded = []
        real = queries._picture_of
        monkeypatch.setattr(queries, '_picture_of', lambda *a: (loaded.append(a), real(*a))[1])
        with make_sightings(tmp_path / 'i', vectors, crops=crops) as index:
            result = search_from_rows(index, [4])
            assert isinstance(result.query[0], QueryPerson)
            assert result.to_dict()['query'][0]['row'] == 4
            assert 'row=4' in repr(result.query)
            assert result.table()
            assert not loaded
        result.draw()
        result.draw()
        assert len(loaded) == 1
        assert result.query[0].box.tolist() == ([0, 0, 30, 60] if crops else [0, 0, 64, 128])
        assert (
            copy.copy(result.query[0]).row == pickle.loads(pickle.dumps(result.query[0])).row == 4
        )

    def test_no_rows(self, tmp_path, vectors):
        with (
            make_sightings(tmp_path / 'i', vectors) as index,
            pytest.raises(ConfigError, match='number of a row'),
        ):
            search_from_rows(index, [])


class TestResults:
    def test_no_footage_is_opened_where_there_are_crops(self, tmp_path, vectors, monkeypatch):
        def never(*_):
            raise AssertionError('footage is opened')

        monkeypatch.setattr('mmclsa.inference.record_pictures.VideoReader', never)
        with make_sightings(tmp_path / 'i', vectors) as index:
            result = search_from_rows(index, [4], 5)
        names = [path.name for path in result.save(tmp_path / 'out', scenes=False)]
        assert names == ['results.json', 'rank_list.png']
        drawn = cv2.imread(str(tmp_path / 'out' / 'rank_list.png'))
        crop = cv2.imdecode(np.frombuffer(result.crops[result.hits[0].row], np.uint8), 1)
        assert (np.abs(drawn.astype(int) - crop[30, 15]).max(axis=2) < 6).sum() > 5000

    def test_probability_and_stay_are_shown(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs()) as index:
            result = search_from_rows(index, [4], 3)
        best = result.hits[0]
        heading, line = result.table().splitlines()[1:4:2]
        assert 'similarity | probability | row' in heading
        assert f'{best.similarity:.3f}' in line
        assert f'| {best.probability:.2f} ' in line
        assert '0:00:' in line
        assert ' - 0:00:' in line
        content = json.loads(json.dumps(result.to_dict()))
        assert content['calibration'] == {'num_same': 2000, 'num_different': 2000}
        query = {'row': 4, 'image': 'a.avi', 'frame': 84, 'box': [0, 0, 14, 20]}
        assert content['query'] == [query]
        assert content['hits'][0]['probability'] == pytest.approx(best.probability, abs=1e-6)
        assert content['hits'][0]['num_frames'] == 10
        assert content['hits'][0]['last_frame'] - content['hits'][0]['first_frame'] == 9

    def test_search_from_a_row_is_exported_for_fiftyone(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors) as index:
            result = search_from_rows(index, [4], 3)
        result.save(tmp_path / 'out', scenes=False)
        query, *hits = marks_of_results(tmp_path / 'out' / 'results.json')
        assert (query.source, query.frame, list(query.box)) == ('a.avi', 84, [0, 0, 14, 20])
        assert [mark.frame for mark in hits] == [hit.record.frame for hit in result.hits]

    def test_no_column_of_probabilities_where_none_is_known(self, tmp_path, vectors):
        with make_sightings(tmp_path / 'i', vectors) as index:
            result = search_from_rows(index, [4], 3)
        assert 'probability' not in result.table()
        assert 'probability' not in result.to_dict()['hits'][0]

    def test_former_arguments_are_enough(self):
        person = QueryPerson(np.zeros((8, 8, 3), np.uint8), np.array([0, 0, 8, 8]))
        assert GalleryHits([person], []).crops == {}


def people_and_looks(seed: int = 3, people: int = 5, looks: int = 4) -> tuple[np.ndarray, list]:
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(people), looks)
    noise = 0.35 * unit(rng.normal(size=(len(names), DIMS)))
    return unit(unit(rng.normal(size=(people, DIMS)))[names] + noise), names.tolist()


class TestPeople:
    def test_finds_them(self, tmp_path):
        vectors, names = people_and_looks()
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs()) as index:
            people = people_of_index(index, min_probability=0.5)
        assert sorted(sorted(names[row] for row in person.rows) for person in people) == [
            [number] * 4 for number in range(5)
        ]
        first = people[0]
        assert first.num_sightings == 4
        assert first.rows == sorted(first.rows)  # by time
        assert first.best == max(first.rows)  # with the largest box
        assert first.time_from == first.rows[0] * 2
        assert first.time_to == first.rows[-1] * 2 + 0.9
        assert first.cameras == ['door']

    def test_two_boxes_on_one_person_may_be_one(self, tmp_path):
        vectors, names = people_and_looks()
        starts = [20 * n for n in range(20)]
        starts[1] = starts[0]
        found = []
        for left in (0.0, 60.0):
            columns = dict(lefts=[0.0, left, *[0.0] * 18])
            path = tmp_path / str(left)
            with make_sightings(path, vectors, made_up_pairs(), starts, **columns) as index:
                people = people_of_index(index, min_probability=0.01)
            found.append(any({0, 1} <= set(person.rows) for person in people))
        assert names[0] == names[1]
        assert found == [True, False]

    def test_those_who_are_seen_at_once_are_never_one(self, tmp_path):
        vectors, names = people_and_looks()
        starts = [20 * n for n in range(20)]
        starts[1] = starts[0] + 9  # one frame of both
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs(), starts) as index:
            people = people_of_index(index, min_probability=0.01)
        assert names[0] == names[1]
        assert not any({0, 1} <= set(person.rows) for person in people)

    def test_overlap_in_time_without_a_common_frame_is_no_proof(self, tmp_path):
        vectors, _ = people_and_looks()
        starts = [20 * n for n in range(20)]
        starts[1] = starts[0] + 10
        with make_sightings(tmp_path / 'i', vectors, made_up_pairs(), starts) as index:
            people = people_of_index(index, min_probability=0.5)
        assert any({0, 1} <= set(person.rows) for person in people)

    def test_rows_of_one_track_are_one_sighting(self, tmp_path):
        vectors, _ = people_and_looks()
        with make_sightings(tmp_path / 'i', vectors, track_id=[0, 0, *range(1, 19)]) as index:
            people = people_of_index(index, min_similarity=0.999)
        assert people[0].rows == [0, 1]
        assert people[0].num_sightings == 1
        assert len(people) == 19

    def test_least_similarity_needs_no_pairs(self, tmp_path):
        vectors, _ = people_and_looks()
        with make_sightings(tmp_path / 'i', vectors) as index:
            people = people_of_index(index, min_similarity=0.6)
            stored = index.embeddings(index.rows())
        expected = group_people(stored @ stored.T, None, 0.6)
        assert len(people) == len(set(expected.tolist()))
        for person in people:
            assert len(set(expected[person.rows].tolist())) == 1

    def test_too_many_are_refused_before_they_are_read(self, tmp_path, monkeypatch):
        """Tracks of two rows, and one row of none, in two sources."""
        vectors, _ = people_and_looks()
        tracks = [n // 2 % 5 for n in range(19)] + [-1]
        sources = ['a.avi'] * 10 + ['b.avi'] * 10
        with make_sightings(tmp_path / 'i', vectors, track_id=tracks, source=sources) as index:
            assert index.count_sightings(SearchFilter()) == 11
            assert index.count_sightings(SearchFilter(sources=['b.avi'])) == 6
            monkeypatch.setattr('mmclsa.inference.people.MAX_SIGHTINGS', 10)
            monkeypatch.setattr(index, 'records', None)
            with pytest.raises(ConfigError, match='11 sightings are too many'):
                people_of_index(index, min_similarity=0.5)

    def test_limits_and_mistakes(self, tmp_path, monkeypatch):
        vectors, _ = people_and_looks()
        with make_sightings(tmp_path / 'i', vectors) as index:
            with pytest.raises(ConfigError, match=r'knows no probabilities .* give min_similarity'):
                people_of_index(index)
            with pytest.raises(ConfigError, match='not both'):
                people_of_index(index, None, 0.5, 0.5)
            with pytest.raises(ConfigError, match=r'min_similarity must lie in -1\.\.1'):
                people_of_index(index, min_similarity=1.5)
            monkeypatch.setattr('mmclsa.inference.people.MAX_SIGHTINGS', 19)
            with pytest.raises(ConfigError, match='20 sightings are too many'):
                people_of_index(index, min_similarity=0.5)
        with (
            make_sightings(tmp_path / 'j', vectors[:4], made_up_pairs()) as index,
            pytest.raises(ConfigError, match=r'too few sightings \(4\)'),
        ):
            people_of_index(index)
        with make_sightings(tmp_path / 'k', vectors[:0], PairCounts()) as index:
            assert people_of_index(index) == []
