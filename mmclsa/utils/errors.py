"""Words for errors of others, which may be anything."""

from __future__ import annotations

from collections.abc import Mapping

from mmclsa.errors import DataError, UserError
from mmclsa.utils.text import counted

__all__ = ['describe_left_out', 'reason_of']

_LONGEST = 300
_MOST_TOLD = 5


def reason_of(error: BaseException, name: str) -> str:
    """Say in a line why a file cannot be used.

    Returns:
        The message of an error of mmclsa; of others their type and message,
        with the file's name.

    Example:
        >>> reason_of(OverflowError('too big'), 'a.jpg')
        'a.jpg cannot be used (OverflowError: too big)'
    """
    text = ' '.join(str(error).split())
    if isinstance(error, DataError):  # names its file
        return text
    named = name.encode('utf-8', 'backslashreplace').decode()
    kind = '' if isinstance(error, UserError) else type(error).__name__
    return f'{named} cannot be used ({": ".join(filter(None, (kind, text[:_LONGEST])))})'


def describe_left_out(reasons: Mapping[str, str], done: str) -> str:
    """Say which files were left out; names the first few.

    Args:
        reasons: Why, by file.
        done: What was not done with them.

    Returns:
        A sentence.

    Example:
        >>> describe_left_out({'a.jpg': 'a.jpg is empty'}, 'searched')
        '1 file was not searched, or not to its end: a.jpg is empty'
    """
    one = f'file was not {done}, or not to its end'
    several = f'files were not {done}, or not to their end'
    words = '; '.join(list(reasons.values())[:_MOST_TOLD])
    more = f'; and {len(reasons) - _MOST_TOLD} more' if len(reasons) > _MOST_TOLD else ''
    return f'{counted(len(reasons), one, several)}: {words}{more}'
