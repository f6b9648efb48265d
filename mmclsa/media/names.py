"""Camera and time that a file's name tells."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import PurePath

from mmclsa.errors import ConfigError

__all__ = ['NamePattern', 'Named']

_DATE = r'(?P<date>\d{4}(?P<_between>[-_.]?)\d{2}(?P=_between)\d{2})'
_TIME = r'(?P<time>\d{2}[-_.:]?\d{2}[-_.:]?\d{2}(?:[.,]\d{1,6}|(?<=\d{6})\d{3})?Z?)'
_EPOCH = r'(?P<epoch>\d{9,10}(?:\.\d+)?|\d{12,13})'
_FIELDS = {'camera': r'(?P<camera>[^/]+?)', 'date': _DATE, 'time': _TIME, 'epoch': _EPOCH}
_DIGITS = re.compile(r'\D')


@dataclass(frozen=True)
class Named:
    """What a name tells.

    Attributes:
        camera: Name of the camera; None if the pattern has none.
        time: Seconds since 1970, the camera's clock taken as UTC; None if the
            pattern has none.
    """

    camera: str | None = None
    time: float | None = None


@dataclass(frozen=True)
class NamePattern:
    """How the names of files tell camera and time.

    ``{camera}`` is any text, ``{date}`` such as ``20240506`` or ``2024-05-06``,
    ``{time}`` such as ``070809``, ``07-08-09`` or ``07.08.09.250``, ``{epoch}``
    seconds or milliseconds since 1970, ``*`` anything. Other forms are given as
    :meth:`datetime.strptime` takes them: ``{date:%d%m%y}``. With slashes the
    pattern is compared with the last folders too: ``{camera}/*``. The suffix of
    the file may be left out.

    Args:
        text: The pattern.

    Raises:
        ConfigError: If it has no field, another one, one twice, or a time
            without a date.

    Example:
        >>> NamePattern('{camera}_{date}_{time}').match('/footage/door_20240506_070809.mp4')
        Named(camera='door', time=1714979289.0)
        >>> NamePattern('{camera}/*').match('/footage/yard/a.mp4')
        Named(camera='yard', time=None)
    """

    text: str
    _expression: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _forms: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            parts = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise ConfigError(f'the name pattern {self.text!r} is broken: {error}') from error
        names = [name for _, name, _, _ in parts if name is not None]
        fits = set(names) <= set(_FIELDS) and len(set(names)) == len(names)
        if not names or not fits or ('time' in names and 'date' not in names):
            raise ConfigError(
                'a name pattern must have one or more of {camera}, {date}, {time} (with a date) '
                f'and {{epoch}}, each once, such as {{camera}}_{{date}}_{{time}}, not {self.text!r}'
            )
        forms = {name: form for _, name, form, _ in parts if name is not None and form}
        if wrong := set(forms) - {'date', 'time'}:
            raise ConfigError(f'the field {wrong.pop()} of the name pattern has no form')
        expression = ''.join(_literal(text) + _field(name, form) for text, name, form, _ in parts)
        object.__setattr__(self, '_expression', re.compile(expression))
        object.__setattr__(self, '_forms', forms)

    def match(self, path: str) -> Named | None:
        """Read what the name of a file tells.

        Args:
            path: Of the file.

        Returns:
            What it tells; None if the name is not of this pattern, or has a
            date or time that does not exist.
        """
        whole = PurePath(path)
        depth = self.text.count('/') + 1
        for name in (whole.with_suffix(''), whole):
            found = self._expression.fullmatch('/'.join(name.parts[-depth:]))
            if found is not None:
                break
        else:
            return None
        try:
            return Named(found.groupdict().get('camera'), self._time(found.groupdict()))
        except (ValueError, OverflowError):
            return None

    def _time(self, found: dict[str, str]) -> float | None:
        if 'epoch' in found:
            seconds = float(found['epoch'])
            return seconds if seconds < 1e11 else seconds / 1000
        if 'date' not in found:
            return None
        moment = self._parse('date', found['date'], '%Y%m%d')
        if 'time' in found:
            clock = self._parse('time', found['time'], '%H%M%S')
            moment += clock - clock.replace(hour=0, minute=0, second=0, microsecond=0)
        return moment.replace(tzinfo=timezone.utc).timestamp()

    def _parse(self, name: str, text: str, form: str) -> datetime:
        if name in self._forms:
            return datetime.strptime(text, self._forms[name])
        digits = _DIGITS.sub('', text)
        whole = 8 if name == 'date' else 6
        fraction = float(f'0.{digits[whole:] or 0}')
        return datetime.strptime(digits[:whole], form) + timedelta(seconds=fraction)


def _literal(text: str) -> str:
    return '[^/]*?'.join(map(re.escape, text.split('*')))


def _field(name: str | None, form: str | None) -> str:
    if name is None:
        return ''
    return f'(?P<{name}>[^/]+?)' if form else _FIELDS[name]
