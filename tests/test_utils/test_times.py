from __future__ import annotations

import math

import pytest

from mmclsa.errors import ConfigError
from mmclsa.utils.times import format_time, parse_time


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('0', 0.0),
        ('90.5', 90.5),
        ('1:30', 90.0),
        ('10:01:30.5', 36090.5),
        ('1970-01-02', 86400.0),
        ('2024-05-06T07:08:09', 1714979289.0),
        ('2024-05-06T07:08:09Z', 1714979289.0),
        ('2024-05-06T09:08:09+02:00', 1714979289.0),
    ],
)
def test_parse(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    'text', ['', 'noon', 'nan', 'inf', '1:75', '1:2:3:4', '2024-13-01', '1e12']
)
def test_what_is_no_time(text):
    with pytest.raises(ConfigError, match='a time must be'):
        parse_time(text)
    with pytest.raises(ConfigError, match='--from: a time must be seconds'):
        parse_time(text, '--from')


@pytest.mark.parametrize('seconds', [0.0, 0.4, 59.9, 60.0, 3599.9, 3600.0, 86400.0, 1714979289.0])
def test_there_and_back(seconds):
    assert parse_time(format_time(seconds)) == pytest.approx(seconds, abs=0.05)


def test_rounding_carries_over():
    assert format_time(59.96) == '0:01:00.0'
    assert format_time(3599.99) == '1:00:00.0'
    assert format_time(math.nan) == ''
