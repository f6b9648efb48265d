"""Reading MATLAB files with errors that name the file and the field."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from mmclsa.datasets.readers.paths import AnyPath, as_path
from mmclsa.errors import DataError

__all__ = ['load_mat', 'mat_field', 'mat_string', 'read_mat']


def read_mat(path: AnyPath) -> bytes:
    """Read a .mat file as it is.

    Raises:
        DataError: If the file is missing or cannot be read.
    """
    try:
        return as_path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(
            f'{path} is missing; docs/datasets.md tells how to get this data set'
        ) from None
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror or error})') from None


def load_mat(path: AnyPath, content: bytes | None = None) -> dict[str, Any]:
    """Read all variables of a .mat file.

    Raises:
        DataError: If the file is missing or cannot be read.
    """
    # Here, as most commands find what they need in the cache.
    from scipy.io import loadmat

    try:
        return loadmat(BytesIO(read_mat(path) if content is None else content))
    except DataError:
        raise
    except NotImplementedError:  # HDF5
        raise DataError(
            f'{path} is a .mat file of version 7.3 (HDF5), which is not read: save it in MATLAB '
            "with save(..., '-v7')"
        ) from None
    # scipy raises whatever its parser stumbles on in a truncated file.
    except Exception as error:
        raise DataError(
            f'{path} is no readable .mat file ({type(error).__name__}: {error})'
        ) from None


def mat_field(path: AnyPath, *names: str, content: bytes | None = None) -> np.ndarray:
    """Read one variable of a .mat file.

    Args:
        path: The file.
        names: Names that the variable may have, the first one found counts.
        content: What is in the file, if it was read before.

    Raises:
        DataError: If the file is missing, broken, or has none of the names.
    """
    variables = load_mat(path, content)
    for name in names:
        if name in variables:
            return variables[name]
    found = sorted(name for name in variables if not name.startswith('__'))
    raise DataError(f'{path} must have a variable {" or ".join(names)}, but has {found}')


def mat_string(value: np.ndarray) -> str:
    """Unwrap a string from the arrays MATLAB's cells come in.

    Returns:
        The string; empty where MATLAB has an empty array.

    Example:
        >>> mat_string(np.array([[np.array(['s1.jpg'])]]))
        's1.jpg'
    """
    while isinstance(value, np.ndarray):
        if value.size == 0:
            return ''
        value = value.ravel()[0]
    return str(value)
