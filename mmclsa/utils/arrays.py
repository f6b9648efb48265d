"""Files of named arrays that may be broken."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mmclsa.errors import DataError

__all__ = ['load_arrays']


def load_arrays(path: str | Path, what: str) -> dict[str, np.ndarray]:
    """Read all arrays of an ``npz`` file; none of them may be pickled.

    Raises:
        DataError: If there is no such file or it is broken.

    Example:
        >>> load_arrays('none.npz', 'figures')
        Traceback (most recent call last):
        mmclsa.errors.DataError: none.npz has no figures ([Errno 2] No such file or directory: ...
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f'{path} has no {what} ({error})') from None
