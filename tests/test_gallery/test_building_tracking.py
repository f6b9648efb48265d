"""Linking: people who cross, leave, are hidden, and are seen rarely."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.gallery.building import Tracker, link_tracks
from mmclsa.structures import FoundPeople

RED, BLUE = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def walk(tracker: Tracker, seen, every: int = 1, fps: float = 25.0) -> list[list[int]]:
    """Link frames of (x, embedding) pairs, each person 20 x 40 pixels; None is nobody."""
    tracks = []
    for number, people in enumerate(seen[::every]):
        boxes = np.array([[x, 0, x + 20, 40] for x, _ in people], float).reshape(-1, 4)
        vectors = np.array([vector for _, vector in people]).reshape(-1, 2)
        found = FoundPeople(boxes, np.ones(len(people)), vectors)
        tracks.append(tracker.step(number, number * every / fps, found).tolist())
    return tracks


def test_two_who_cross_keep_their_tracks():
    frames, boxes, vectors, truth = [], [], [], []
    for step in range(21):
        for person, x in ((0, 5 * step), (1, 100 - 5 * step)):
            frames.append(step)
            boxes.append([x, 0, x + 20, 40])
            vectors.append([1.0, 0.6] if person == 0 else [0.6, 1.0])
            truth.append(person)
    vectors = np.array(vectors) / np.linalg.norm(vectors[0])
    tracks = link_tracks(np.array(frames), np.array(boxes, float), vectors)
    assert tracks.tolist() == truth


def test_two_alike_who_cross_are_told_apart_by_how_they_walk():
    seen = [[(2.0 * step, RED), (80 - 2.0 * step, RED)] for step in range(41) if step != 20]
    tracks = walk(Tracker(), seen)
    assert all(pair == [0, 1] for pair in tracks)


class TestEmptyTime:
    """The fault: what counted were the frames with people in them."""

    def test_the_same_box_at_frames_0_and_400(self):
        tracks = link_tracks(np.array([0, 400]), np.array([[0, 0, 9, 20.0]] * 2), np.ones((2, 1)))
        assert tracks.tolist() == [0, 1]

    @pytest.mark.parametrize(('seconds', 'count'), [(2.9, 1), (3.1, 2), (16.0, 2)])
    def test_patience_is_in_seconds(self, seconds, count):
        times = np.array([5.0, 5.0 + seconds])
        frames = np.array([0, round(seconds * 25)])
        boxes = np.array([[0, 0, 9, 20.0]] * 2)
        tracks = link_tracks(frames, boxes, np.ones((2, 1)), times=times)
        assert len(set(tracks.tolist())) == count

    def test_empty_frames_that_were_looked_at_count(self):
        person = [(0.0, RED)]
        for empty, fps, expected in ((1, 0.3, [0]), (2, 0.3, [1]), (60, 25, [0]), (80, 25, [1])):
            assert walk(Tracker(), [person, *[[]] * empty, person], fps=fps)[-1] == expected

    def test_rare_looks_have_an_end(self):
        person = [(0.0, RED)]
        assert walk(Tracker(), [person, person], fps=0.11) == [[0], [0]]
        assert walk(Tracker(), [person, person], fps=0.09) == [[0], [1]]


@pytest.mark.parametrize(('gap', 'count'), [(2, 1), (3, 1), (4, 2)])
def test_missed_frames(gap, count):
    # A second person keeps the frames between looked at.
    frames = np.array([0, *range(gap + 1), gap])
    frames.sort()
    boxes = np.array([[0, 0, 10, 20], *[[50, 0, 60, 20]] * (gap + 1), [1, 0, 11, 20]], float)
    tracks = link_tracks(frames, boxes, np.ones((len(frames), 1)))
    assert len(set(tracks[[0, -1]])) == count


def test_unlike_people_at_one_place_are_two():
    tracks = link_tracks(np.array([0, 1]), np.array([[0, 0, 9, 9.0]] * 2), np.eye(2))
    assert tracks.tolist() == [0, 1]


@pytest.mark.parametrize('every', [1, 5, 25])
def test_a_walker_without_overlap_is_one_track(every):
    """At one frame a second the boxes of a walker no longer touch."""
    seen = [[(1.6 * step, RED)] for step in range(101)]  # a height a second
    assert {track for (track,) in walk(Tracker(), seen, every)} == {0}


def test_nobody_walks_so_far():
    seen = [[(0.0, RED)], [(200.0, RED)]]  # five heights in 1/25 s
    assert walk(Tracker(), seen) == [[0], [1]]
    assert walk(Tracker(), [[(0.0, RED)], [(40.0, RED)]], fps=1) == [[0], [0]]


def test_who_was_hidden_keeps_his_looks():
    """A look that shows the person in front hardly changes that of the one behind."""
    behind, front = unit(1, 0.7), unit(0.7, 1)
    tracker = Tracker()
    boxes = np.array([[0, 0, 20, 40], [-2, -2, 22, 45]], float)
    tracker.step(0, 0.0, FoundPeople(boxes[:1], np.ones(1), behind[None]))
    for step in range(1, 20):  # both boxes show the one in front
        found = FoundPeople(boxes, np.ones(2), np.stack([front, front]))
        tracker.step(step, step / 25, found)
    (hidden, _) = tracker._alive
    assert hidden.embedding @ behind > 0.99


def test_order_within_a_frame_does_not_matter():
    rng = np.random.default_rng(0)
    seen = [[(x + step, unit(*rng.normal(1, 0.2, 2))) for x in (0, 60, 120)] for step in range(9)]
    tracks = walk(Tracker(), seen)
    mixed = walk(Tracker(), [seen[0], *(people[::-1] for people in seen[1:])])
    assert [ids[::-1] for ids in mixed[1:]] == tracks[1:]


def test_shift_of_time_does_not_matter():
    """Times since 1970 are as good as times since the start."""
    seen = [[(2.0 * step, RED), (80 - 2.0 * step, BLUE)] for step in range(30)]
    tracker, tracks = Tracker(), []
    for number, people in enumerate(seen):
        boxes = np.array([[x, 0, x + 20, 40] for x, _ in people])
        found = FoundPeople(boxes, np.ones(2), np.stack([vector for _, vector in people]))
        tracks.append(tracker.step(number, 1.7e9 + number / 25, found).tolist())
    assert tracks == walk(Tracker(), seen)


def test_nobody():
    assert link_tracks(np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 0))).tolist() == []
    nobody = FoundPeople(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 0)))
    assert Tracker().step(0, 0.0, nobody).tolist() == []
