"""Names in any script: letters where a font has them, else what tells them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from mmclsa.visualization import RankedPerson, draw_rank_list, draw_timeline
from mmclsa.visualization import fonts as module
from mmclsa.visualization.canvas import put_text
from mmclsa.visualization.fonts import drawable, font_families, split_by_font

FONTS = Path(get_data_path()) / 'fonts' / 'ttf'


def written(text: str, width: int | None = None) -> np.ndarray:
    canvas = np.full((30, 300, 3), 255, np.uint8)
    put_text(canvas, text, (2, 20), width=width)
    return canvas


NAMES = [('Дверь', 'Стена'), ('Θύρα', 'Αυλή'), ('باب', 'دار'), ('門', '街'), ('문', '길')]


@pytest.mark.parametrize(('one', 'other'), NAMES)
def test_names_differ(one, other):
    """Seen: question marks in pictures, so that all names of a length look the same."""
    marks = written('?' * len(one))
    assert (written(one) != marks).any()
    assert (written(one) != written(other)).any()


@pytest.mark.parametrize(('one', 'other'), NAMES)
def test_names_in_rank_lists_and_timelines_differ(one, other):
    """Seen: boxes in timelines."""
    box = np.array([2, 2, 10, 18])

    def ranked(name):
        person = RankedPerson(np.zeros((20, 20, 3), np.uint8), box, note=name)
        return draw_rank_list(person, [person])

    assert (ranked(one) != ranked(other)).any()
    first, second = (draw_timeline([1.0], [name], [0.5], name, 400) for name in (one, other))
    assert first.shape != second.shape or (first != second).any()


def test_ascii_looks_as_ever():
    """OpenCV's font, as in all pictures of the docs."""
    import cv2

    canvas = np.full((30, 300, 3), 255, np.uint8)
    cv2.putText(
        canvas, 'door', (2, 20), cv2.FONT_HERSHEY_SIMPLEX, 14 / 30, (20,) * 3, 1, cv2.LINE_AA
    )
    assert (written('door') == canvas).all()


def test_width_is_kept():
    long = written('Дверь ' * 20, width=100)
    assert (long[:, 105:] == 255).all()
    assert (long[:, 60:105] != 255).any()


def test_writes_where_it_is_told():
    """On the baseline from the left end, in the colour, and over the edge without harm."""
    canvas = np.full((40, 80, 3), 255, np.uint8)
    used = put_text(canvas, 'Дом', (10, 25), (200, 0, 0), 16)
    rows, columns = np.nonzero((canvas != 255).any(-1))
    assert columns.min() + 1 >= 10
    assert columns.max() <= 10 + used
    assert 12 <= rows.min() <= 16
    assert (canvas[..., 0] >= 200).all()
    put_text(canvas, 'Дом', (70, 25))
    put_text(canvas, 'Дом', (-200, 25))


def test_another_font_helps_out(monkeypatch):
    """Letters that the usual font lacks come from the first that has them."""
    lacking = FONTS / 'DejaVuSans.ttf'
    helping = FONTS / 'STIXGeneral.ttf'
    only = set(FT2Font(str(helping)).get_charmap()) - set(FT2Font(str(lacking)).get_charmap())
    letter = next(chr(code) for code in sorted(only) if chr(code).isalpha())
    monkeypatch.setattr(module, '_system_fonts', lambda: ())
    module._font_of.cache_clear()
    assert drawable(f'a{letter}') == 'a' + letter.encode('unicode_escape').decode()
    monkeypatch.setattr(module, '_system_fonts', lambda: (FONTS / 'absent.ttf', helping))
    module._font_of.cache_clear()
    assert drawable(f'a{letter}b') == f'a{letter}b'
    assert split_by_font(f'ä{letter}') == [('ä', lacking), (letter, helping)]
    assert font_families([f'a{letter}']) == ['DejaVu Sans', 'STIXGeneral']
    assert (written(f'ä{letter}') != written('ä')).any()
    module._font_of.cache_clear()


def test_what_is_no_letter():
    assert drawable('a\tb\u202ec\ud800') == 'a\\tb\\u202ec\\ud800'
    assert drawable('e\u0301') == 'é'


def test_dollars_are_no_formula():
    one, other = (draw_timeline([1.0], [name], [0.5], width=400) for name in ('$x$', '$y_1$'))
    assert (one != other).any()
    draw_timeline([1.0], [r'$\frac$'], [0.5], r'$\bad{$', width=400)
