"""Reading the lines of a MOTChallenge gt.txt, whatever separates their columns."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from mmclsa.errors import DataError
from mmclsa.utils.text import read_text

__all__ = ['MOTRow', 'read_gt_lines', 'split_columns']

_EXACT = 2**53  # beyond this a float64 no longer tells whole numbers apart
_COMMENTS = ('#', '%', '//')
_ID = re.compile(r'((track|target|object|obj|person)[ _]?)?id')
# Names that headers have for the corner which gt.txt does not have.
_OTHER_CORNER = re.compile(r'(^|_)(x2|y2|x_?max|y_?max|right|bottom)$')


class MOTRow(NamedTuple):
    """A line of gt.txt.

    Attributes:
        line: Its number, from 1.
        frame: As the file counts them.
        track: The id; 0 or less is nobody in particular.
        box: x y width height in pixels.
        flag: Column 7: 0 for what is not to be counted.
        rest: Columns 8 and on.
    """

    line: int
    frame: int
    track: int
    box: tuple[float, float, float, float]
    flag: float
    rest: tuple[float, ...]


def read_gt_lines(path: Path) -> list[MOTRow]:
    """Read gt.txt: frame, id, x, y, width, height, flag and perhaps more a line.

    Commas, semicolons, tabs or blanks separate columns; empty columns at a
    line's end are none, and empty lines and comments are passed over, as is a
    header in the first line.

    Raises:
        DataError: If it is missing or unreadable, or a line is wrong.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'annotation {path} is missing or unreadable; docs/datasets.md tells what a '
            'MOTChallenge sequence contains'
        ) from error
    rows: list[MOTRow] = []
    header_allowed = True
    for number, line in enumerate(lines, 1):
        text = line.strip().strip('\0')
        if not text or text.startswith(_COMMENTS):
            continue
        if header_allowed and _is_header(text):
            _check_header(text, f'{path} line {number}')
        else:
            rows.append(_read_line(text, number, path))
        header_allowed = False
    return rows


def split_columns(line: str) -> list[str]:
    """Split a line of gt.txt into columns.

    Semicolons come before tabs, tabs before commas, commas before blanks; a
    comma within a column that something else separates is a decimal comma.

    Returns:
        The columns, without empty ones at the end.

    Example:
        >>> split_columns('1, 7, 10.5,'), split_columns('1;7;10,5'), split_columns('1 7  10.5')
        (['1', '7', '10.5'], ['1', '7', '10.5'], ['1', '7', '10.5'])
    """
    if ';' in line:
        columns = line.split(';')
    elif '\t' in line:
        columns = [column.strip().rstrip(',') for column in line.split('\t')]
    elif ',' in line:
        columns = line.split(',')
        if any(len(column.split()) > 1 for column in columns):
            columns = re.split(r'\s*,\s*|\s+', line)
    else:
        columns = line.split()
    columns = [column.strip().strip('"\'').replace(',', '.') for column in columns]
    while columns and not columns[-1]:
        columns.pop()
    return columns


def _is_header(text: str) -> bool:
    """Whether the first column is a name; numbers have e, inf and nan at the most."""
    first = split_columns(text)[:1]
    if not first:
        return False
    try:
        float(first[0])
    except ValueError:
        return first[0][:1].isalpha()
    return False


def _check_header(text: str, where: str) -> None:
    """Refuse columns that their names put into another order."""
    names = [name.lower() for name in split_columns(text)]
    frames = [place for place, name in enumerate(names) if 'frame' in name]
    ids = [place for place, name in enumerate(names) if _ID.fullmatch(name)]
    if (frames and frames[0] != 0) or (ids and ids[0] != 1):
        raise DataError(
            f'{where} names columns in another order than gt.txt has them, which is frame, id, x, '
            f'y, width, height, flag: {text[:100]}'
        )
    if any(_OTHER_CORNER.search(name) for name in names[4:6]):
        raise DataError(
            f'{where} names the corner {names[4]}, {names[5]}, where gt.txt has width and height'
        )


def _read_line(text: str, number: int, path: Path) -> MOTRow:
    where = f'{path} line {number}'
    columns = text.split(',')  # as nearly all files have them
    try:
        values = [float(column) for column in columns]
    except ValueError:
        columns = split_columns(text)
        values = _numbers(columns, text, where)
    if len(values) < 7:  # a blank between two of them, perhaps
        columns = split_columns(text)
        values = _numbers(columns, text, where)
    if len(values) < 7 or not all(map(math.isfinite, values)):
        raise DataError(f'{where} needs at least 7 finite columns (frame, id, x, y, w, h, flag)')
    if '_' in text:  # Python reads 1_2 as 12
        raise DataError(f'{where} has a column that is no number: {text}')
    frame, track, x, y, width, height, flag = values[:7]
    for name, value in (('frame', frame), ('id', track)):
        if value != int(value):
            raise DataError(f'{where} has {name} {value:g}, which is no whole number')
    if frame < 0:
        raise DataError(f'{where} has frame {frame:g}, but frames count from 1')
    who = int(track) if abs(track) < _EXACT else _whole(columns[1], track)
    return MOTRow(number, int(frame), who, (x, y, width, height), flag, tuple(values[7:]))


def _numbers(columns: list[str], text: str, where: str) -> list[float]:
    try:
        return [float(column) for column in columns]
    except ValueError as error:
        raise DataError(f'{where} has a column that is no number: {text}') from error


def _whole(text: str, value: float) -> int:
    """Read a number of 64 bits in full, where it is written so."""
    try:
        return int(text)
    except ValueError:
        return int(value)
