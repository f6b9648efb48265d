"""Words for errors of others, which may be anything."""

from __future__ import annotations

from mmclsa.errors import DataError, UserError

__all__ = ['reason_of']

_LONGEST = 300


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
