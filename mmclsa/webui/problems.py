"""Mistakes as a visitor is told of them: a sentence, and no path of the server."""

from __future__ import annotations

import re

from mmclsa.errors import UserError
from mmclsa.utils.cli import user_message

__all__ = ['BrokenIndexError', 'BusyError', 'FootageError', 'GoneError', 'public_message']

_FOLDERS = re.compile(r'(?<![\w.:/])(?:[A-Za-z]:)?(?:[\\/][^\\/\s:;,\'"()]+)*[\\/](?=[^\\/\s])')


class GoneError(UserError):
    """What is asked for is not there, or no longer."""


class FootageError(GoneError):
    """A row is there, but not the file that it was found in, or that cannot be read."""


class BusyError(UserError):
    """Too many ask for the same kind of work."""


class BrokenIndexError(UserError):
    """What is wrong with the index itself, whatever is asked of it."""


def public_message(error: BaseException, *private: str) -> str:
    """Give the sentence of an error without folders of this machine.

    Args:
        error: The error.
        private: Paths of folders that may be named in it, blanks included.

    Returns:
        The sentence, where files are named without their folders.

    Example:
        >>> public_message(UserError('image /srv/foo/a.jpg is missing'))
        'image a.jpg is missing'
        >>> public_message(UserError('no row 3 in /my disk/index'), '/my disk')
        'no row 3 in index'
    """
    message = user_message(error)
    for folder in sorted((path for path in private if '/' in path), key=len, reverse=True):
        message = message.replace(f'{folder}/', '')
        message = message.replace(f'the index {folder}', folder).replace(folder, 'the index')
    return _FOLDERS.sub('', message)
