"""Cameras and times that give nothing by mistake are sentences, for commands and page alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery import Contents, GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.inference import search_filter
from mmclsa.inference.limits import clock_of, undated_sentence
from tests.test_gallery.fakes import DIMS, FakeEmbedder

DAY = 1_700_000_000.0
VIDEO = Contents(9, 2, {'door': 3, '': 6}, 0.0, 90.0)
DATED = Contents(9, 2, {'door': 9}, DAY, DAY + 60)
BOTH = Contents(9, 2, {'door': 9}, 5.0, DAY)
UNDATED = Contents(9, 2, {'door': 9})


def test_clocks():
    clocks = [clock_of(contents) for contents in (VIDEO, DATED, BOTH, UNDATED, Contents(0, 0))]
    assert clocks == ['video', 'utc', 'both', 'none', 'none']


def test_who_has_no_time_is_counted_where_times_are_asked_for(tmp_path):
    """Seen: with --from, every picture without a time was missing, and nobody said so."""
    times = [1.0, math.nan, 9.0, math.nan, math.nan]
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as index:
        for place, (time, camera) in enumerate(zip(times, 'aabbb')):
            record = GalleryRecord(f'{place}.png', 0, time, (0, 0, 1, 1), 0.5, camera)
            index.add(np.eye(DIMS)[place : place + 1], [record])
        index.commit()
        assert undated_sentence(index, SearchFilter(time_from=5.0)).endswith('left out: 3')
        for names in (['a'], ['a', 'a']):
            told = undated_sentence(index, SearchFilter(names, time_to=5.0))
            assert told.endswith('left out: 1')
        assert undated_sentence(index, SearchFilter(['a'])) == undated_sentence(index, None) == ''
        index.delete(index.find(SearchFilter())[[1, 3, 4]])
        assert undated_sentence(index, SearchFilter(time_from=5.0)) == ''


def test_times_of_the_other_clock_are_left_out_and_counted(tmp_path):
    """Seen: --to with a date found whoever was in a video whose times count from 0."""
    times = [1.0, 9.0, DAY, DAY + 9, DAY + 20, math.nan]
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as index:
        for place, time in enumerate(times):
            record = GalleryRecord(f'{place}.png', 0, time, (0, 0, 1, 1), 0.5, 'a')
            index.add(np.eye(DIMS)[place : place + 1], [record])
        index.commit()
        for limits, rows, videos, dates in (
            ((None, DAY + 10), [2, 3], 2, 0),
            ((DAY + 5, None), [3, 4], 2, 0),
            ((DAY, DAY), [2], 2, 0),
            ((5.0, None), [1], 0, 3),
            ((-math.inf, 5.0), [0], 0, 3),
            ((-math.inf, math.inf), [0, 1, 2, 3, 4], 0, 0),
        ):
            where = search_filter(index, ['a'], *limits)
            assert index.find(where).tolist() == rows
            told = ['sightings of unknown time, which are left out: 1']
            told += [f'sightings with a time of a video, which are left out: {videos}'] * (
                videos > 0
            )
            told += [f'sightings with a date, which are left out: {dates}'] * (dates > 0)
            assert undated_sentence(index, where) == '; '.join(told)


def test_without_a_limit_nobody_goes_through_the_index(tmp_path, monkeypatch):
    """Which takes seconds where it is large."""
    model = FakeEmbedder().fingerprint
    with GalleryIndex.create(tmp_path / 'index', model) as index:
        index.add(np.eye(1, DIMS), [GalleryRecord('a.avi', 0, 1.0, (0, 0, 1, 1), 0.5, 'door')])
        index.commit()
        assert search_filter(index, ['door'], '0:01') == SearchFilter(['door'], 1.0)
        with pytest.raises(ConfigError, match='no camera "dor"'):
            search_filter(index, ['dor'])
        monkeypatch.setattr(GalleryIndex, 'contents', lambda index: pytest.fail('is read'))
        assert search_filter(index) == search_filter(index, []) == SearchFilter()


@pytest.mark.parametrize(
    ('contents', 'limits', 'expected'),
    [
        (VIDEO, (), SearchFilter()),
        (VIDEO, ([], '', ' '), SearchFilter()),
        (VIDEO, (['door', ''],), SearchFilter(['door', ''])),
        (VIDEO, (None, '0:10', 20), SearchFilter(None, 10.0, 20.0)),
        (VIDEO, (None, '0:10', '0:10'), SearchFilter(None, 10.0, 10.0)),
        (VIDEO, (None, 500), SearchFilter(None, 500.0)),
        (DATED, (None, '2023-11-14', DAY), SearchFilter(None, 1_699_920_000.0, DAY)),
        (DATED, (None, -math.inf, math.inf), SearchFilter(None, -math.inf, math.inf)),
        (BOTH, (None, '0:10', '2023-11-14'), SearchFilter(None, 10.0, 1_699_920_000.0)),
    ],
)
def test_filters(contents, limits, expected):
    assert search_filter(contents, *limits) == expected


@pytest.mark.parametrize(
    ('contents', 'limits', 'words'),
    [
        (VIDEO, (['dor'],), 'no camera "dor" in the index, which has "door", one without a name'),
        (Contents(0, 0), (['door'],), 'no camera "door" in the index, which has none'),
        (VIDEO, (None, '0:20', '0:10'), '"from" must not be after "to", but 0:20 is after 0:10'),
        (VIDEO, (None, '2023-11-14'), 'start of the video such as 0:01:30.0, for the index has no'),
        (VIDEO, (None, None, DAY), '"to" must be a time since the start of the video'),
        (DATED, (None, '12:00:00'), '"from" must be a date such as 2023-11-14T22:13:20Z'),
        (DATED, (None, None, 7), '"to" must be a date'),
        (UNDATED, (None, 7), '"from" is given, but no time is known of anybody'),
        (VIDEO, (None, 'noon'), '"from": a time must be seconds'),
        (VIDEO, (None, None, 'x', ('--from', '--till')), '--till: a time must be seconds'),
        (VIDEO, (None, '2024-05-06', None, ('--since', '')), '--since must be a time since'),
        (VIDEO, (None, math.nan), '"from" must be a number of seconds, not NaN'),
    ],
)
def test_mistakes(contents, limits, words):
    with pytest.raises(ConfigError) as raised:
        search_filter(contents, *limits)
    assert words in str(raised.value)


def test_many_cameras_are_not_all_listed():
    cameras = {f'camera {number:03d}': 1 for number in range(500)}
    with pytest.raises(ConfigError, match=r'"camera 019" and 480 more$'):
        search_filter(Contents(500, 1, cameras), ['door'])


@pytest.mark.parametrize('tool', ['tools/search_gallery.py', 'tools/list_people.py'])
@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (('--camera', 'dor'), 'there is no camera "dor" in the index, which has "door"'),
        (('--from', '0:20', '--to', '0:10'), 'must not be after'),
        (('--from', '2024-05-06'), 'for the index has no dates'),
    ],
)
def test_commands_say_so_too(tmp_path, run_tool_to_its_error, tool, options, words):
    """They gave nothing, without a word."""
    record = GalleryRecord('a.mp4', 0, 1.0, (0, 0, 9, 9), 0.9, 'door')
    with GalleryIndex.create(tmp_path / 'i', FakeEmbedder().fingerprint) as index:
        index.add(np.eye(DIMS)[:1], [record])
        index.commit()
    row = ('--row', 0) if 'search' in tool else ()
    assert words in run_tool_to_its_error(tool, tmp_path / 'i', *row, *options)
