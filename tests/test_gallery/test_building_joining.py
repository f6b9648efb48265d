"""Tracks over the border of two units of a video, in whatever order the units come."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import InProcess, SourceOptions, plan_units
from mmclsa.gallery.building.joining import join_tracks
from mmclsa.gallery.building.sink import IndexSink
from tests.test_gallery.fakes import DIMS, FakeEmbedder
from tests.test_gallery.people import unit

UNITS = ['sighting', 'detection']
_LOOKS = unit(np.random.default_rng(0).normal(size=(3, DIMS)))


class Walkers(FakeEmbedder):
    """Three people: one stands, two walk towards each other; nobody in frames 22 to 24.

    The number of a frame is how bright it is; the third comes in frame 18.
    """

    def _people(self, picture):
        number = round(float(picture.mean()) / 5) - 1
        found = super()._people(np.zeros((4, 4, 3), np.uint8))
        if 22 <= number <= 24:
            return found
        xs = [(0, 300.0), (1, 10.0 + 3 * number)] + [(2, 150.0 - 3 * number)] * (number >= 18)
        return type(found)(
            np.array([[x, 5, x + 20, 45] for _, x in xs], np.float32),
            np.linspace(0.9, 0.8, len(xs), dtype=np.float32),
            np.stack([_LOOKS[who] for who, _ in xs]),
        )


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('footage') / 'v.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for number in range(40):
        writer.write(np.full((64, 64, 3), 5 * (number + 1), np.uint8))
    writer.release()
    return path


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 10)


def results_of(video, row_unit: str = 'sighting') -> list:
    options = SourceOptions(unit=row_unit)
    return list(InProcess(Walkers(), options).results(plan_units([video])))


def index_of(path, batches, backend=None) -> list:
    """Take results, a commit after each batch; who is in which rows, in order of time."""
    with GalleryIndex.create(path, Walkers().fingerprint, backend) as index:
        sink = IndexSink(index)
        for results in batches:
            for result in results:
                sink.take(result)
            sink.commit()
    with GalleryIndex.open(path) as index:
        index.verify()
        records = index.records()
        who = (index.embeddings(index.rows()) @ _LOOKS.T).argmax(axis=1)
    rows = [(r.first_frame, int(n), r.track_id, r.frame) for r, n in zip(records, who)]
    return sorted(rows)


@pytest.mark.parametrize('row_unit', UNITS)
def test_a_person_has_one_number_in_all_units(video, tmp_path, row_unit):
    rows = index_of(tmp_path / 'i', [results_of(video, row_unit)])
    numbers = {who: {track for _, n, track, _ in rows if n == who} for who in range(3)}
    assert all(len(tracks) == 1 for tracks in numbers.values())
    assert len(set.union(*numbers.values())) == 3
    if row_unit == 'sighting':  # units stay what they are: a sighting of each in each
        assert [n for _, n, _, _ in rows].count(0) == 4


@pytest.mark.parametrize('row_unit', UNITS)
def test_order_and_commits_do_not_matter(video, tmp_path, row_unit):
    results = results_of(video, row_unit)
    expected = index_of(tmp_path / 'whole', [results])
    for number, order in enumerate([*itertools.permutations(range(4))][1::3]):
        batches = [[results[n]] for n in order]
        if number % 2:
            batches = [batches[0], [results[n] for n in order[1:3]], batches[3]]
        assert index_of(tmp_path / f'{number}', batches) == expected


def test_every_backend_keeps_what_was_written(video, tmp_path, backend):
    """Rows that are committed get another number too, and are whole."""
    first, second, *_ = results_of(video)
    rows = index_of(tmp_path / 'i', [[second], [first]], backend)
    assert len({track for _, who, track, _ in rows if who == 0}) == 1


def test_without_the_unit_between_nobody_is_joined(video, tmp_path):
    first, _, third, fourth = results_of(video)
    rows = index_of(tmp_path / 'i', [[first], [third], [fourth]])
    standing = [(start, track) for start, who, track, _ in rows if who == 0]
    assert standing[0][1] not in [track for _, track in standing[1:]]
    assert standing[1][1] == standing[2][1]


def test_others_do_not_become_one(video, tmp_path):
    """Who looks different, or is too far away, is another person behind the border."""
    first, second, *_ = results_of(video)
    unlike = replace(second, embeddings=-second.embeddings)
    away = [replace(b, boxes=b.boxes + 2000) if b else None for b in second.behind]
    far = replace(second, boxes=second.boxes + 2000, behind=away)
    late = [replace(b, times=b.times + 60, frames=b.frames) if b else None for b in second.behind]
    later = replace(second, times=second.times + 60, behind=late)
    for name, other in (('unlike', unlike), ('far', far), ('later', later)):
        rows = index_of(tmp_path / name, [[first, other]])
        tracks = [track for _, _, track, _ in rows]
        assert len(set(tracks)) == len(tracks), name


def test_another_video_is_another(video, tmp_path):
    first, second, *_ = results_of(video)
    moved = replace(second, unit=replace(second.unit, source='/other.avi'))
    rows = index_of(tmp_path / 'i', [[first, moved]])
    assert len({track for _, _, track, _ in rows}) == len(rows)


def test_a_clip_of_one_unit_is_not_looked_for_in_the_index(tmp_path, video, monkeypatch):
    """It has no border, and a look at each would make many clips cost their square."""
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 100)
    (result,) = results_of(video)
    monkeypatch.setattr(GalleryIndex, 'find', lambda *_: pytest.fail('the index is looked at'))
    with GalleryIndex.create(tmp_path / 'index', Walkers().fingerprint) as index:
        sink = IndexSink(index)
        sink.take(result)
        assert len(index.rows()) == 3
        assert join_tracks(index, [result.unit], 0) == {}
        sink.commit()
