"""Pairs of footage, and the probabilities that they teach."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import count_pairs, fit_calibration
from mmclsa.evaluation.functional.calibration import (
    METHODS,
    MIN_PAIRS,
    MIN_TRACKS,
    Calibration,
    isotonic,
)
from mmclsa.evaluation.functional.reliability import measure_reliability
from mmclsa.gallery.blobs import pack_pairs, unpack_pairs
from mmclsa.structures import PAIR_BINS, PairCounts


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def footage(seed: int, num_frames: int = 30, people: int = 4) -> tuple[np.ndarray, ...]:
    """Frames, tracks, embeddings and times (5 frames a second) of people who come and go."""
    rng = np.random.default_rng(seed)
    frames = np.repeat(np.arange(num_frames), people)
    tracks = np.tile(np.arange(people), num_frames)
    kept = rng.random(len(frames)) < 0.7
    frames, tracks = frames[kept], tracks[kept]
    looks = rng.normal(size=(people, 12))[tracks] + 0.6 * rng.normal(size=(len(frames), 12))
    return frames, tracks, unit(looks), frames / 5


def literal_pairs(frames, tracks, embeddings, times, fused, min_gap):
    """All pairs by loops, where no bound is reached."""
    same, different = [], []
    number = len(frames)
    for i in range(number):
        track = [j for j in range(number) if tracks[j] == tracks[i]]
        gap = max(min_gap, (max(times[track]) - min(times[track])) / 3)
        far = [j for j in track if abs(times[i] - times[j]) >= gap]
        if fused and far:
            same.append(embeddings[i] @ unit(embeddings[far].mean(0)))
        if not fused:
            same += [embeddings[i] @ embeddings[j] for j in far if j > i]
        for j in range(number):
            if frames[j] == frames[i] and tracks[j] != tracks[i]:
                other = np.flatnonzero(tracks == tracks[j])
                second = unit(embeddings[other].mean(0)) if fused else embeddings[j]
                different.append(embeddings[i] @ second)
    return same, different


def histogram(values: list[float]) -> np.ndarray:
    return np.histogram(np.clip(values, -1, 1), PAIR_BINS, (-1, 1))[0]


class TestPairs:
    @pytest.mark.parametrize('fused', [True, False])
    @pytest.mark.parametrize('min_gap', [0.1, 1.0, 3.0])
    def test_equals_loops(self, fused, min_gap):
        looks = footage(0)
        bounds = dict(per_track=1000, per_frame=1000)
        counts = count_pairs(*looks, fused=fused, min_gap=min_gap, **bounds)
        same, different = literal_pairs(*looks, fused, min_gap)
        # Values at the edge of a bin may fall to either side.
        assert counts.same.sum() == len(same)
        assert counts.different.sum() == len(different)
        assert np.abs(np.cumsum(counts.same - histogram(same))).max() <= 2
        assert np.abs(np.cumsum(counts.different - histogram(different))).max() <= 2

    def test_does_not_depend_on_order_or_names(self):
        frames, tracks, embeddings, times = footage(1)
        shuffled = np.random.default_rng(0).permutation(len(frames))
        names = np.array([7, 8, 90, 91])
        counts = count_pairs(frames, tracks, embeddings, times)
        again = count_pairs(
            frames[shuffled], names[tracks][shuffled], embeddings[shuffled], times[shuffled]
        )
        assert np.abs(np.cumsum(counts.same - again.same)).max() <= 1  # sums round otherwise
        assert np.abs(np.cumsum(counts.different - again.different)).max() <= 1

    def test_is_bounded(self):
        frames, tracks, embeddings, times = footage(2, 200, 12)
        counts = count_pairs(frames, tracks, embeddings, times)
        assert counts.same.sum() <= 12 * 16
        assert counts.different.sum() <= 12 * 16 * 8
        single = count_pairs(frames, tracks, embeddings, times, fused=False)
        assert single.same.sum() <= 12 * 16 * 15 / 2

    def test_two_boxes_on_one_person_are_neither(self):
        """Track 1 is the person of track 0 once more; track 2 comes near for a while."""
        frames, tracks = np.repeat(np.arange(20), 3), np.tile(np.arange(3), 20)
        looks = unit(np.random.default_rng(4).normal(size=(60, 12)))
        lefts = np.where(tracks == 1, 1, np.where(tracks == 2, 80, 0)) + 0.0
        lefts[(tracks == 2) & (frames < 10)] = 3  # IoU 0.54 with track 0, 0.67 with track 1
        boxes = np.stack([lefts, lefts * 0, lefts + 10, lefts * 0 + 20], axis=1)
        bounds = dict(per_track=1000, per_frame=1000)
        counts = count_pairs(frames, tracks, looks, frames / 5, boxes=boxes, **bounds)
        kept = [
            looks[i] @ unit(looks[tracks == tracks[j]].mean(0))
            for i in range(60)
            for j in range(60)
            if frames[i] == frames[j] and abs(lefts[i] - lefts[j]) > 2.5
        ]
        assert len(kept) == 60
        assert np.abs(np.cumsum(counts.different - histogram(kept))).max() <= 1
        assert np.array_equal(
            counts.same, count_pairs(frames, tracks, looks, frames / 5, **bounds).same
        )

    def test_short_tracks_unknown_times_and_nobody(self):
        frames, tracks, embeddings, times = footage(3)
        assert count_pairs(frames, tracks, embeddings, times / 100).same.sum() == 0
        nan = np.full(len(times), np.nan)
        counts = count_pairs(frames, tracks, embeddings, nan)
        assert counts.same.sum() == 0
        assert counts.different.sum() > 0
        pictures = count_pairs(frames, np.full(len(frames), -1), embeddings, times)
        assert pictures.same.sum() == pictures.different.sum() == 0
        empty = count_pairs(*(np.zeros(0, np.int64),) * 2, np.zeros((0, 0)), np.zeros(0))
        assert empty.same.sum() == empty.different.sum() == 0
        one = count_pairs(*(np.zeros(1, np.int64),) * 2, np.ones((1, 1)), np.zeros(1))
        assert one.same.sum() == one.different.sum() == 0


def counts_of(same: np.ndarray, different: np.ndarray) -> PairCounts:
    return PairCounts(histogram(list(same)), histogram(list(different)))


class TestCalibration:
    def draw(self, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosines of pairs of one person and of two, whose log-odds are a line: 10 (s - 0.4)."""
        rng = np.random.default_rng(seed)
        return rng.normal(0.5, np.sqrt(0.02), count), rng.normal(0.3, np.sqrt(0.02), count)

    @pytest.mark.parametrize('method', METHODS)
    def test_finds_the_true_probability(self, method):
        calibration = fit_calibration(counts_of(*self.draw(0, 20_000)), method)
        where = np.linspace(0.15, 0.65, 26)
        truth = 1 / (1 + np.exp(-10 * (where - 0.4)))
        assert np.abs(calibration.probability(where) - truth).max() < 0.06
        if method == 'logistic':
            assert np.abs(calibration.probability(where) - truth).max() < 0.015

    @pytest.mark.parametrize('method', METHODS)
    def test_is_honest_about_new_pairs_however_many_of_each_there_were(self, method):
        same, different = self.draw(1, 4000)
        calibration = fit_calibration(counts_of(same[:500], different), method)
        new = np.concatenate(self.draw(2, 4000))
        measured = measure_reliability(calibration.probability(new), np.arange(8000) < 4000)
        assert measured.ece < 0.03

    @pytest.mark.parametrize('method', METHODS)
    def test_never_falls_and_is_never_certain(self, method):
        same, different = self.draw(3, 300)
        calibration = fit_calibration(counts_of(same + 0.4, different - 0.4), method)  # apart
        values = calibration.probability(np.linspace(-1, 1, 1001))
        assert (np.diff(values) >= 0).all()
        assert 0 < values[0] < 0.1
        assert 0.9 < values[-1] < 1
        assert calibration.num_same == calibration.num_different == 300

    def test_footage_that_tells_nothing(self):
        same, different = self.draw(4, 5000)
        backwards = fit_calibration(counts_of(different, same), 'logistic')
        assert np.allclose(backwards.probability(np.linspace(-1, 1, 9)), 0.5, atol=1e-6)
        flat = fit_calibration(counts_of(different, same), 'isotonic')
        assert np.abs(flat.probability(np.array([0.2, 0.4, 0.6])) - 0.5).max() < 0.02

    @pytest.mark.skipif(not find_spec('sklearn'), reason='scikit-learn is not installed')
    def test_isotonic_is_scikit_learns(self):
        from sklearn.isotonic import IsotonicRegression

        rng = np.random.default_rng(5)
        for _ in range(20):
            values = np.round(rng.normal(size=60) + np.linspace(0, 2, 60), 1)
            weights = rng.uniform(0.1, 3, 60)
            expected = IsotonicRegression().fit_transform(
                np.arange(60), values, sample_weight=weights
            )
            assert np.allclose(isotonic(values, weights), expected, atol=1e-12)

    def test_isotonic_is_the_closest(self):
        """No small step that keeps the order comes closer."""
        rng = np.random.default_rng(6)
        values, weights = rng.normal(size=8), rng.uniform(0.5, 2, 8)
        found = isotonic(values, weights)
        assert (np.diff(found) >= 0).all()
        best = weights @ (found - values) ** 2
        for _ in range(500):
            other = np.sort(found + 0.05 * rng.normal(size=8))
            assert weights @ (other - values) ** 2 >= best

    def test_logistic_is_scipys_minimum(self):
        from scipy.optimize import minimize

        counts = counts_of(*self.draw(7, 200))
        middles = (np.arange(PAIR_BINS) + 0.5) * 2 / PAIR_BINS - 1
        same, different = counts.same / 200, counts.different / 200
        target = (same * 201 + different) / 202

        def loss(line):
            log_odds = line[0] * middles + line[1]
            return (same + different) @ np.logaddexp(0, log_odds) - target @ log_odds

        line = minimize(loss, np.zeros(2), tol=1e-12).x
        expected = 1 / (1 + np.exp(-(line[0] * middles + line[1])))
        calibration = fit_calibration(counts, 'logistic')
        assert np.abs(calibration.probability(middles) - expected).max() < 1e-4

    def test_too_few_pairs(self):
        same, different = self.draw(8, MIN_PAIRS)
        assert fit_calibration(counts_of(same, different)) is not None
        assert fit_calibration(counts_of(same[1:], different)) is None
        assert fit_calibration(counts_of(same, different[1:])) is None
        assert fit_calibration(PairCounts()) is None

    def test_too_few_tracks(self):
        """Four people for ten seconds give hundreds of pairs, and nobody else to compare with."""
        rng = np.random.default_rng(0)
        for people in (4, 5):
            frames, tracks = np.repeat(np.arange(50), people), np.tile(np.arange(people), 50)
            looks = unit(
                rng.normal(size=(people, 64))[tracks] + 0.7 * rng.normal(size=(50 * people, 64))
            )
            counts = count_pairs(frames, tracks, looks, frames / 5)
            assert min(counts.same.sum(), counts.different.sum()) >= MIN_PAIRS
            assert counts.num_tracks == people
            assert (fit_calibration(counts) is None) == (people < MIN_TRACKS)
        short = count_pairs(frames, tracks, looks, frames / 100)  # half a second
        assert short.num_tracks == 0

    def test_numbers_of_tracks_add_up(self):
        some, other = (PairCounts(np.ones(PAIR_BINS, int), num_tracks=n) for n in (3, 4))
        unknown = PairCounts(np.ones(PAIR_BINS, int))
        assert (some + other).num_tracks == 7
        assert sum([some, other], PairCounts()).num_tracks == 7
        assert (some + unknown).num_tracks is None
        assert (PairCounts() + PairCounts()).num_tracks is None
        for counts in (some, unknown, PairCounts(num_tracks=0)):
            again = unpack_pairs(pack_pairs(counts))
            assert np.array_equal(again.same, counts.same)
            assert again.num_tracks == counts.num_tracks

    def test_unknown_method(self):
        with pytest.raises(ConfigError, match='isotonic, logistic'):
            fit_calibration(PairCounts(), 'beta')

    @pytest.mark.parametrize('method', METHODS)
    def test_similarity_is_the_inverse(self, method):
        calibration = fit_calibration(counts_of(*self.draw(9, 1000)), method)
        for probability in (0.2, 0.5, 0.7, 0.9):
            threshold = calibration.similarity(probability)
            assert calibration.probability(threshold + 1e-9) >= probability - 1e-6
            assert calibration.probability(threshold - 1e-3) < probability
        assert calibration.similarity(1.0) == np.inf
        assert calibration.similarity(0.0) == -np.inf

    def test_probability_of_any_shape(self):
        calibration = Calibration(np.array([0.0, 1.0]), np.array([0.2, 0.8]), 50, 50)
        assert calibration.probability(0.5) == 0.5
        assert calibration.probability(np.zeros((2, 3))).shape == (2, 3)
        assert calibration.probability(np.array([-1.0, 2.0])).tolist() == [0.2, 0.8]
