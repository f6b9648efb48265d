"""Forgetting people after some days."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery import Forgotten, GalleryIndex, SearchFilter, forget_older_than
from mmclsa.structures.sightings import Stay
from tests.test_gallery.people import MODEL, fill

NOW = 1.7e9
DAY = 86_400


@pytest.fixture
def index(folder, people):
    """The person of row n was seen for a day, until n days ago; every tenth has no time."""
    records = []
    for row, record in enumerate(people.records[:60]):
        seen = NOW - row * DAY
        stay = Stay(0, 9, seen - DAY, seen, 10)
        dated = replace(record, time=seen - DAY / 2, stay=stay)
        records.append(replace(dated, time=math.nan, stay=None) if row % 10 == 9 else dated)
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people._replace(vectors=people.vectors[:60], records=records), [60])
        yield index


def test_who_was_last_seen_longer_ago_goes(index, people):
    done = forget_older_than(index, 30, NOW)
    kept = [row for row in range(60) if row <= 30 or row % 10 == 9]
    assert index.rows().tolist() == kept
    assert (done.deleted, done.left, done.undated) == (60 - len(kept), len(kept), 6)
    assert done.before == NOW - 30 * DAY
    assert '26 people last seen before 2023-10-15T22:13:20Z were deleted' in str(done)
    assert '6 of these have no time and stay' in str(done)
    assert forget_older_than(index, 30, NOW).deleted == 0
    assert forget_older_than(index, 0.5, NOW).left == 7


def test_by_the_clock_of_the_machine(index, monkeypatch):
    monkeypatch.setattr('time.time', lambda: NOW + 100 * DAY)
    assert forget_older_than(index, 120).deleted == 35  # of 39, without the four undated
    assert forget_older_than(index, 1).left == 6


@pytest.mark.parametrize('days', [0, -1, math.nan, math.inf])
def test_days_that_are_none(index, days):
    with pytest.raises(ConfigError, match='above 0'):
        forget_older_than(index, days, NOW)
    assert len(index) == 60


@pytest.mark.parametrize('tool', ['prune_gallery', 'search_gallery', 'webui'])
@pytest.mark.parametrize('days', ['0', '-1', 'nan', 'inf'])
def test_days_that_are_none_name_the_option(index, folder, run_tool_to_its_error, tool, days):
    index.close()
    options = ['--keep-days', days, *(['--row', '1'] if tool == 'search_gallery' else [])]
    said = run_tool_to_its_error(f'tools/{tool}.py', folder, *options)
    assert said.endswith(f'(--keep-days) must be a number above 0, not {days}')


@pytest.mark.parametrize(
    ('days', 'date'), [(100_000, '1750-01-29T22:13:20Z'), (1e9, '0001-01-01T00:00:00Z')]
)
def test_ages_ago(index, days, date):
    """*seen*: a time of day with a minus before it."""
    done = str(forget_older_than(index, days, NOW))
    assert done == (
        f'0 people last seen before {date} were deleted, 60 are left; 6 of these have no time and '
        'stay'
    )


def test_words_of_one():
    assert str(Forgotten(1, 1, 1, NOW)) == (
        '1 person last seen before 2023-11-14T22:13:20Z was deleted, 1 is left; 1 of these has no '
        'time and stays'
    )


@pytest.mark.parametrize(
    ('time', 'words'), [(7.0, 'start of a video .0:00:07'), (math.nan, 'no person')]
)
def test_times_that_are_no_dates(folder, people, time, words):
    """All would be old: seconds since a video's start are those of 1970."""
    records = [replace(record, time=time) for record in people.records[:5]]
    with GalleryIndex.create(folder, MODEL) as index:
        assert forget_older_than(index, 3, NOW).left == 0
        index.add(people.vectors[:5], records)
        with pytest.raises(ConfigError, match=f'cannot be kept to 3 days: .*{words}'):
            forget_older_than(index, 3, NOW)
        if time == 7.0:  # one date among them does not change that
            index.add(people.vectors[5:6], [replace(people.records[5], time=NOW)])
            with pytest.raises(ConfigError, match='start of a video'):
                forget_older_than(index, 3, NOW)
        assert len(index) >= 5


def test_only_a_writer_forgets(index, folder):
    with GalleryIndex.open(folder) as reader, pytest.raises(ConfigError, match='for writing'):
        forget_older_than(reader, 3, NOW)


@pytest.mark.parametrize('part', [SearchFilter(gone_before=NOW - 30 * DAY)])
def test_the_filter(index, part):
    assert index.find(part).tolist() == [r for r in range(31, 60) if r % 10 != 9]


@pytest.mark.parametrize('dry', [True, False])
def test_the_tool(index, folder, run_tool_here, monkeypatch, dry):
    index.close()
    monkeypatch.setattr('time.time', lambda: NOW)
    options = ['--keep-days', '30', *['--dry-run'] * dry]
    said = run_tool_here('tools/prune_gallery.py', folder, *options)
    assert ('26 of 60 people would be' if dry else '26 people were deleted, 34 are left') in said
    with GalleryIndex.open(folder) as opened:
        assert len(opened) == (60 if dry else 34)
