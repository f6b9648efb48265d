"""Fonts for names in any script: those of this machine that have the letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from matplotlib import font_manager, get_data_path
from matplotlib.ft2font import FT2Font

__all__ = ['drawable', 'font_families', 'split_by_font']

_FIRST = Path(get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')


def drawable(text: str) -> str:
    r"""Make a text that can be drawn here.

    Returns:
        The text, composed, with ``\u8857`` and the like in place of letters
        that no font of this machine has, and of what is no letter.

    Example:
        >>> drawable('Дверь'), drawable('A\n'), drawable('\uffff')
        ('Дверь', 'A\\n', '\\uffff')
    """
    composed = unicodedata.normalize('NFC', text)
    return ''.join(
        letter if letter.isprintable() and _font_of(letter) else _escaped(letter)
        for letter in composed
    )


def split_by_font(text: str) -> list[tuple[str, Path]]:
    """Split a text where its font must change.

    Returns:
        Parts with the file of the font for each; as few as the fonts allow.

    Example:
        >>> [part for part, _ in split_by_font('Tor Дверь')]
        ['Tor Дверь']
    """
    parts: list[tuple[str, Path]] = []
    for letter in text:
        if parts and ord(letter) in _letters(parts[-1][1]):
            parts[-1] = parts[-1][0] + letter, parts[-1][1]
        else:
            parts.append((letter, _font_of(letter) or _FIRST))
    return parts


def font_families(texts: Iterable[str]) -> list[str]:
    """Name fonts for matplotlib that have the letters of all texts.

    Returns:
        Families, of which the first that has a letter draws it.

    Example:
        >>> font_families(['Tor', 'Дверь'])
        ['DejaVu Sans']
    """
    fonts = dict.fromkeys([_FIRST, *(f for text in texts for _, f in split_by_font(text))])
    for font in fonts:
        font_manager.fontManager.addfont(str(font))
    return list(dict.fromkeys(FT2Font(str(font)).family_name for font in fonts))


def _escaped(letter: str) -> str:
    return letter.encode('unicode_escape').decode()


@lru_cache(maxsize=4096)
def _font_of(letter: str) -> Path | None:
    """Give the first font that has a letter; others than the usual one are looked for late."""
    if ord(letter) in _letters(_FIRST):
        return _FIRST
    return next((font for font in _system_fonts() if ord(letter) in _letters(font)), None)


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[Path, ...]:
    """Give the fonts of this machine, upright ones first."""
    slanted = ('italic', 'oblique', 'bold', 'mono')
    found = map(Path, font_manager.findSystemFonts())
    return tuple(sorted(found, key=lambda p: (any(s in p.name.lower() for s in slanted), str(p))))


@cache
def _letters(font: Path) -> frozenset[int]:
    """Give what a font can draw: nothing, if it is made of pixels or broken."""
    try:
        face = FT2Font(str(font))
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(face.get_charmap()) if face.scalable else frozenset()
