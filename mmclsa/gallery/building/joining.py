"""Tracks that go on in the next unit of their video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.gallery.building import units as units_module
from mmclsa.gallery.building.tracking import Track, Tracker, assign, places_of
from mmclsa.gallery.building.units import Unit

__all__ = ['join_tracks']

_FOLLOWED = 10  # detections that tell how somebody walks
Row = tuple[int, GalleryRecord]


def join_tracks(index: GalleryIndex, units: Iterable[Unit], first: int) -> dict[int, int]:
    """Find who was cut in two by the border between units of a video.

    It looks at nothing but what the index has of both units, so that it is the
    same in whatever order they came.

    Args:
        index: Opened for writing, with the rows of ``units`` not yet committed.
        units: Units that are not yet committed.
        first: How many rows are committed.

    Returns:
        The track that rows get in place of their own, by row: of those who are
        one, the number of the earliest.
    """
    borders: dict[str, set[int]] = defaultdict(set)
    for unit in units:
        # A short clip has none, and to look for its rows would go through the index in vain.
        if unit.is_video and (places := {unit.start, unit.stop or 0} - {0}):
            borders[unit.source].update(places)
    later = index.rows()[first:].tolist()
    pending: dict[str, list[Row]] = defaultdict(list)
    for row, record in zip(later, index.records(later) if borders else []):
        pending[record.source].append((row, record))
    renamed: dict[int, int] = {}
    for source, places in borders.items():
        if pending[source]:
            renamed.update(_join_source(index, pending[source], sorted(places)))
    return renamed


def _join_source(
    index: GalleryIndex, pending: Sequence[Row], borders: Sequence[int]
) -> dict[int, int]:
    """Join the tracks of one video."""
    source = pending[0][1].source
    near = SearchFilter(
        sources=[source],
        time_from=min(record.time_from for _, record in pending) - Tracker.max_gap,
        time_to=max(record.time_to for _, record in pending) + Tracker.max_gap,
    )
    committed = index.find(near)
    rows = [*zip(committed.tolist(), index.records(committed)), *pending]
    joined = _Joined()
    for border in borders:
        before = [r for r in rows if 0 < border - r[1].frame <= units_module.FRAMES_PER_UNIT]
        after = [r for r in rows if 0 <= r[1].frame - border < units_module.FRAMES_PER_UNIT]
        for one, other in _pairs(index, before, after):
            joined.join(one, other)
    if not joined:
        return {}
    there = index.same_tracks(committed)
    everybody = [*zip(there.tolist(), index.records(there)), *pending]
    return {
        row: joined.number_of(record.track_id)
        for row, record in everybody
        if joined.number_of(record.track_id) != record.track_id
    }


def _pairs(
    index: GalleryIndex, before: Sequence[Row], after: Sequence[Row]
) -> list[tuple[int, int]]:
    """Choose tracks that end before a border, and those that go on behind it."""
    if not before or not after:
        return []
    ended = max(record.time_to for _, record in before)
    begun = min(record.time_from for _, record in after)
    tails = [
        _tail(index, rows)
        for rows in _by_track(r for r in before if r[1].time_to >= begun - Tracker.max_gap)
    ]
    heads = [
        _head(index, rows)
        for rows in _by_track(r for r in after if r[1].time_from <= ended + Tracker.max_gap)
    ]
    if not tails or not heads:
        return []
    times = np.array([head.time for head in heads])
    gaps = times - np.array([tail.time for tail in tails])[:, None]
    # As in a tracker: patience, or nobody was seen in between.
    next_seen = (gaps == begun - ended) & (gaps <= Tracker.max_gap)
    pairs = assign(
        tails,
        times,
        np.stack([head.place for head in heads]),
        np.stack([head.embedding for head in heads]),
        Tracker.min_similarity,
        next_seen | (gaps <= Tracker.patience),
    )
    return [(tails[i].number, heads[j].number) for i, j in pairs]


def _by_track(rows: Iterable[Row]) -> list[list[Row]]:
    """Gather the rows of each track, in order."""
    tracks: dict[int, list[Row]] = defaultdict(list)
    for row, record in rows:
        tracks[record.track_id].append((row, record))
    return [sorted(tracks[track], key=lambda r: r[1].frame) for track in sorted(tracks)]


def _looks(index: GalleryIndex, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Give times (n,) and boxes (n, 4) of the detections behind a track's rows."""
    parts = [index.behind(row) for row, _ in rows]
    return np.concatenate([p.times for p in parts]), np.concatenate([p.boxes for p in parts])


def _tail(index: GalleryIndex, rows: Sequence[Row]) -> Track:
    rows = rows[-_FOLLOWED:]
    times, boxes = (array[-_FOLLOWED:] for array in _looks(index, rows))
    places = places_of(boxes)
    (embedding,) = index.embeddings([rows[-1][0]])
    track = Track(rows[-1][1].track_id, 0, float(times[0]), places[0], np.zeros(2), embedding)
    for time, place in zip(times[1:].tolist(), places[1:]):
        track.go_on(0, time, place, embedding, 1.0)
    return track


def _head(index: GalleryIndex, rows: Sequence[Row]) -> Track:
    times, boxes = _looks(index, rows[:1])
    (embedding,) = index.embeddings([rows[0][0]])
    number, place = rows[0][1].track_id, places_of(boxes[:1])[0]
    return Track(number, 0, float(times[0]), place, np.zeros(2), embedding)


class _Joined:
    """Numbers that are one: each stands for the least of its own."""

    def __init__(self) -> None:
        self._less: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._less)

    def number_of(self, number: int) -> int:
        """Give the least number that is one with this."""
        while number in self._less:
            number = self._less[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make two numbers one."""
        low, high = sorted((self.number_of(one), self.number_of(other)))
        if low != high:
            self._less[high] = low
