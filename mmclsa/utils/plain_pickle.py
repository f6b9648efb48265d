"""What MMEngine pickles into a checkpoint beside tensors, read without calling it.

``torch.load(weights_only=True)`` knows tensors and plain containers. MMEngine
adds the log, which is a ``HistoryBuffer`` of NumPy arrays, and NumPy numbers.
Its own list of what is safe also has ``getattr``, which reaches much else, and
NumPy's ``dtype``, whose state can be made to point anywhere in memory. So here
each name stands for a class of ours that takes numbers and nothing else.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter
from typing import IO, Any, ClassVar

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

__all__ = ['PLAIN_CLASSES', 'PlainPickle', 'to_numpy']

_NUMBERS = re.compile(r'[biufc][0-9]{1,2}')
_STATISTICS = ('min', 'max', 'current', 'mean')


class _DType:
    """Stands for ``numpy.dtype``: numbers alone."""

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not (isinstance(name, str) and _NUMBERS.fullmatch(name)):
            raise pickle.UnpicklingError(f'GLOBAL numpy.dtype of {name!r}, which is no number')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ('<', '>'):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for ``numpy.ndarray``; :func:`to_numpy` makes it one."""

    def __init__(self, *_: Any) -> None:
        self.array = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        flat = np.frombuffer(_bytes(data), _numbers(dtype))
        self.array = flat.reshape(shape, order='F' if fortran else 'C').copy('K')


class _Scalar:
    """Stands for the function that makes NumPy's numbers."""

    def __new__(cls, dtype: _DType, data: bytes) -> Any:
        return np.frombuffer(_bytes(data), _numbers(dtype), count=1)[0]


class _Bytes:
    """Stands for ``codecs.encode``, by which old pickles write bytes."""

    def __new__(cls, text: str, encoding: str = 'latin1') -> Any:
        return text.encode('latin1')


class _NoBytes:
    """Stands for ``bytes``, by which old pickles write none of them."""

    def __new__(cls) -> Any:
        return b''


class _History(HistoryBuffer):
    """Stands for ``HistoryBuffer``, and is one as soon as it has its numbers."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        log, count = (to_numpy(state[name]) for name in ('_log_history', '_count_history'))
        if not (isinstance(log, np.ndarray) and isinstance(count, np.ndarray)):
            raise pickle.UnpicklingError('GLOBAL HistoryBuffer without arrays')
        super().__init__(log, count, int(state['max_length']))
        self.__class__ = HistoryBuffer


class _Statistic:
    """Stands for ``getattr``: a history names the methods that sum it up."""

    def __new__(cls, owner: Any, name: str) -> Any:
        if not (isinstance(owner, type) and issubclass(owner, _History) and name in _STATISTICS):
            raise pickle.UnpicklingError('GLOBAL builtins.getattr of something else than a log')
        return None  # every HistoryBuffer has these anyway


def _bytes(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError('GLOBAL numpy.ndarray of something else than numbers')
    return data


def _numbers(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _DType):
        raise pickle.UnpicklingError('GLOBAL numpy.ndarray of something else than numbers')
    return dtype.dtype


_STAND_INS: dict[str, type] = {
    'builtins.bytes': _NoBytes,
    'builtins.getattr': _Statistic,
    'mmengine.logging.history_buffer.HistoryBuffer': _History,
    'numpy.dtype': _DType,
    'numpy.ndarray': _Array,
    # NumPy 2 has renamed its core.
    **{f'numpy.{core}.multiarray._reconstruct': _Array for core in ('core', '_core')},
    **{f'numpy.{core}.multiarray.scalar': _Scalar for core in ('core', '_core')},
}


def _named(path: str, base: type) -> type:
    """A class that PyTorch finds under another's name."""
    module, _, name = path.rpartition('.')
    return type(name, (base,), {'__module__': module})


PLAIN_CLASSES = [_named(path, base) for path, base in _STAND_INS.items()]


def to_numpy(value: Any) -> Any:
    """Put NumPy's arrays in the place of what stands for them.

    Args:
        value: Unpickled: a tensor, number, dict, list or tuple, in any depth.

    Returns:
        The same, changed in place but for tuples.

    Example:
        >>> to_numpy({'a': [1, (2, 3)]})
        {'a': [1, (2, 3)]}
    """
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = to_numpy(item)
    elif isinstance(value, list):
        value[:] = [to_numpy(item) for item in value]
    elif type(value) is tuple:
        return tuple(to_numpy(item) for item in value)
    return value


class _PlainUnpickler(pickle.Unpickler):
    """Finds tensors and the stand-ins, for PyTorch before 2.6."""

    _found: ClassVar[dict[str, Any]] = {
        **torch._weights_only_unpickler._get_allowed_globals(),
        '_codecs.encode': _Bytes,
        'collections.Counter': Counter,
        'torch.device': torch.device,
        **_STAND_INS,
    }

    def find_class(self, module: str, name: str) -> Any:
        path = f'{module}.{name}'.replace('__builtin__.', 'builtins.')
        if path not in self._found:
            raise pickle.UnpicklingError(f'GLOBAL {path}')
        return self._found[path]


class PlainPickle:
    """The ``pickle_module`` of ``torch.load`` that finds nothing but plain values."""

    Unpickler = _PlainUnpickler

    @staticmethod
    def load(file: IO[bytes], **options: Any) -> Any:
        """Unpickle from a stream."""
        return _PlainUnpickler(file, **options).load()
