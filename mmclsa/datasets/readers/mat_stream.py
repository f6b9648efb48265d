"""Reading large struct arrays of MATLAB 5 files, a stretch at a time.

``scipy.io.loadmat`` makes a Python object of every field, and the galleries of
CUHK-SYSU have millions. Here the fields of a struct array are found and decoded
all at once. What has another form than such tables have is left to scipy:
:class:`OtherLayoutError` says so.

The format is described in MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ['Column', 'OtherLayoutError', 'struct_columns', 'struct_elements', 'struct_length']

MATRIX, COMPRESSED = 14, 15
STRUCT, CHAR = 2, 4
_BYTES_AT_ONCE = 8 << 20
_NUMBERS = {
    1: 'i1',
    2: 'u1',
    3: '<i2',
    4: '<u2',
    5: '<i4',
    6: '<u4',
    7: '<f4',
    9: '<f8',
    12: '<i8',
    13: '<u8',
}
_CHARACTERS = {1: 1, 2: 1, 4: 2, 16: 1, 17: 2}  # bytes of a character
# Tags of an element's flags (8 bytes of type uint32) and of two dimensions (8 of int32).
_FLAGS_TAG, _DIMS_TAG = np.uint64(8 << 32 | 6), np.uint64(8 << 32 | 5)


class OtherLayoutError(Exception):
    """A file is not laid out as the tables that are read here are."""


class _Stream:
    """Bytes of a variable, inflated as they are asked for."""

    def __init__(self, content: memoryview, compressed: bool) -> None:
        self._rest = content
        self._inflate = zlib.decompressobj() if compressed else None
        self._buffer = b''
        self._at = 0

    def take(self, count: int) -> memoryview:
        """Give the next bytes."""
        while len(self._buffer) - self._at < count:
            self._buffer = self._buffer[self._at :] + self._more()
            self._at = 0
        self._at += count
        return memoryview(self._buffer)[self._at - count : self._at]

    def _more(self) -> bytes:
        if not len(self._rest):
            raise OtherLayoutError('the file breaks off')
        if self._inflate is None:
            plain, self._rest = self._rest[:_BYTES_AT_ONCE], self._rest[_BYTES_AT_ONCE:]
            return bytes(plain)
        try:
            found = self._inflate.decompress(self._rest, _BYTES_AT_ONCE)
        except zlib.error as error:
            raise OtherLayoutError(f'a variable cannot be inflated ({error})') from error
        self._rest = memoryview(self._inflate.unconsumed_tail)
        return found


def _pair(data: memoryview, at: int = 0) -> tuple[int, int]:
    first, second = np.frombuffer(data[at : at + 8], dtype='<u4').tolist()
    return first, second


@dataclass(frozen=True)
class _Head:
    """What an element says before its content."""

    kind: int
    dims: tuple[int, ...]
    name: str
    size: int


def _small(stream: _Stream) -> tuple[bytes, int]:
    """Read an element of few bytes, in either of its forms; and say how long it was."""
    kind, count = _pair(stream.take(8))
    if kind >> 16:  # the short form: type and length in one word, then at most four bytes
        return count.to_bytes(4, 'little')[: kind >> 16], 8
    if count > 1 << 16:
        raise OtherLayoutError('a header is too long')
    padded = count + -count % 8
    return bytes(stream.take(padded)[:count]), 8 + padded


def _head(stream: _Stream) -> _Head:
    flags, used = _small(stream)
    dims, more = _small(stream)
    name, last = _small(stream)
    if len(flags) != 8 or len(dims) % 4 or not dims:
        raise OtherLayoutError('an array has no header')
    shape = tuple(np.frombuffer(dims, dtype='<i4').tolist())
    return _Head(flags[0], shape, name.decode('ascii', 'replace'), used + more + last)


def _variables(content: bytes) -> Iterator[tuple[_Stream, _Head]]:
    """Go through the variables of a file."""
    if len(content) < 136 or content[126:128] != b'IM':
        raise OtherLayoutError('it is no MATLAB 5 file of this byte order')
    view, at = memoryview(content), 128
    while at + 8 <= len(view):
        kind, count = _pair(view, at)
        if at + 8 + count > len(view):
            raise OtherLayoutError('the file breaks off')
        stream = _Stream(view[at + 8 : at + 8 + count], kind == COMPRESSED)
        at += 8 + count + (0 if kind == COMPRESSED else -count % 8)
        if kind == COMPRESSED:
            kind, _ = _pair(stream.take(8))
        if kind != MATRIX:
            raise OtherLayoutError('it has something else than arrays')
        yield stream, _head(stream)


def _field_names(stream: _Stream) -> list[str]:
    width, _ = _small(stream)
    names, _ = _small(stream)
    step = int.from_bytes(width, 'little')
    if step < 1 or len(names) % step:
        raise OtherLayoutError('a struct has no field names')
    return [names[i : i + step].split(b'\0')[0].decode('ascii') for i in range(0, len(names), step)]


def struct_length(content: bytes, variable: str) -> int:
    """Count the elements of an array.

    Returns:
        The number of elements; 0 if there is no such array.

    Raises:
        OtherLayoutError: If the file is something else.
    """
    heads = (head for _, head in _variables(content))
    return next((int(np.prod(head.dims)) for head in heads if head.name == variable), 0)


def struct_elements(content: bytes, variable: str) -> Iterator[dict[str, memoryview]]:
    """Go through a struct array without reading all of it at once.

    Yields:
        For each element, the bytes of each field's array, after its tag.

    Raises:
        OtherLayoutError: If the file, or the variable, is something else.
    """
    for stream, head in _variables(content):
        if head.name != variable:
            continue
        if head.kind != STRUCT:
            raise OtherLayoutError(f'{variable} is no struct array')
        names = _field_names(stream)
        for _ in range(int(np.prod(head.dims))):
            element = {}
            for name in names:
                kind, count = _pair(stream.take(8))
                if kind != MATRIX:
                    raise OtherLayoutError('a field is no array')
                element[name] = memoryview(bytes(stream.take(count)))
            yield element
        return
    raise OtherLayoutError(f'it has no variable {variable}')


@dataclass(frozen=True)
class Column:
    """One field of all elements of a struct array.

    Attributes:
        data: The bytes that hold the array.
        words: Where each value's array begins, in 8 bytes; shape (n,), int64,
            -1 where there is none.
    """

    data: np.ndarray
    words: np.ndarray

    def texts(self) -> np.ndarray:
        """Decode the field as texts: shape (n,), bytes.

        Raises:
            OtherLayoutError: If a value is no text of one line, or not of ASCII.
        """
        starts, counts, kinds, flags = self._contents(self.words)
        if (flags != CHAR).any():
            raise OtherLayoutError('a name is no text')
        width = max(int(counts.max(initial=0)), 1)
        texts = np.zeros((len(starts), width), dtype=np.uint8)
        for kind in np.unique(kinds).tolist():
            size = _CHARACTERS.get(kind)
            if size is None:
                raise OtherLayoutError('a text has an unknown type')
            rows = np.flatnonzero(kinds == kind)
            place = np.arange(width)
            inside = place < counts[rows, None]
            at = np.where(inside, starts[rows, None] + size * place, 0)
            texts[rows] = np.where(inside, self.data[at], 0)
            if size == 2 and np.where(inside, self.data[at + 1], 0).any():
                raise OtherLayoutError('a text is not of ASCII')
        if (texts > 127).any():
            raise OtherLayoutError('a text is not of ASCII')
        return texts.view(f'S{width}')[:, 0]

    def rows(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode the field as rows of numbers, some of which may be empty.

        Returns:
            Which elements have a row, (m,), and the rows, (m, length), float64.

        Raises:
            OtherLayoutError: If a value is something else.
        """
        present = np.flatnonzero(self.words >= 0)
        starts, counts, kinds, flags = self._contents(self.words[present])
        full = counts > 0
        if (counts[full] != length).any() or (flags[full] == CHAR).any() or (flags < CHAR).any():
            raise OtherLayoutError(f'a row has not {length} numbers')
        found = np.empty((int(full.sum()), length))
        starts, kinds = starts[full], kinds[full]
        for kind in np.unique(kinds).tolist():
            if kind not in _NUMBERS:
                raise OtherLayoutError('a number has an unknown type')
            dtype, rows = np.dtype(_NUMBERS[kind]), np.flatnonzero(kinds == kind)
            place = starts[rows, None] + np.arange(length * dtype.itemsize)
            found[rows] = self.data[place].view(dtype)
        return present[full], found

    def _contents(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Say where the content of arrays lies, how many values it has, its type, and the class."""
        if (words < 0).any():
            raise OtherLayoutError('a value is missing')
        halves = self.data.view('<u4')
        at = 2 * words
        # Tag; flags with their tag; two dimensions with theirs; an empty name; the content's tag.
        if (halves[at + 10] != 1).any() or halves[at + 11].any():
            raise OtherLayoutError('a field has a name')
        counts = halves[at + 8].astype(np.int64) * halves[at + 9]
        kinds, short = halves[at + 12] & 0xFFFF, halves[at + 12] >> 16 > 0
        starts = np.where(short, 4 * (at + 13), 4 * (at + 14))
        sizes = np.where(short, halves[at + 12] >> 16, halves[at + 13])
        if (starts + sizes > 4 * (at + 2) + halves[at + 1]).any():
            raise OtherLayoutError('a value is longer than its array')
        flags = halves[at + 4] & 0xFF
        return starts, counts, kinds, flags


def struct_columns(data: memoryview) -> dict[str, Column]:
    """Find all fields of all elements of a struct array of plain values.

    Args:
        data: The array, after its tag; see :func:`struct_elements`.

    Returns:
        Field name to its values.

    Raises:
        OtherLayoutError: If it is something else, or its fields are not plain.
    """
    stream = _Stream(data, compressed=False)
    head = _head(stream)
    if head.kind != STRUCT:
        raise OtherLayoutError('a field is no struct array')
    names = _field_names(stream)
    count = int(np.prod(head.dims))
    used = stream._at
    if used % 8 or (len(data) - used) % 8:
        raise OtherLayoutError('a struct array is not aligned')
    body = np.frombuffer(data, dtype=np.uint8)[used:]
    places = _places(body, count * len(names)).reshape(count, len(names))
    return {name: Column(body, places[:, i]) for i, name in enumerate(names)}


def _places(body: np.ndarray, expected: int) -> np.ndarray:
    """Find where the arrays that lie one after the other begin, in 8 bytes; -1 for an empty one.

    Headers are found by what they look like, all at once; that they are headers
    is shown by their lengths, which must lead from each to the next.
    """
    words, halves = body.view('<u8'), body.view('<u4')
    heads = np.flatnonzero(words[1:] == _FLAGS_TAG)
    heads = heads[heads + 3 < len(words)]
    heads = heads[(halves[2 * heads] == MATRIX) & (words[heads + 3] == _DIMS_TAG)]
    ends = heads + 1 + halves[2 * heads + 1] // 8
    edges = np.concatenate([[0], ends])
    gaps = np.concatenate([heads, [len(words)]]) - edges
    if (gaps < 0).any() or len(heads) + gaps.sum() != expected:
        raise OtherLayoutError('fields do not lie one after the other')
    # Between two arrays there may be nothing but empty ones: a tag of no bytes each.
    wide = np.flatnonzero(gaps)
    between = np.repeat(edges[wide] - np.concatenate([[0], np.cumsum(gaps[wide])[:-1]]), gaps[wide])
    if (words[between + np.arange(len(between))] != MATRIX).any():
        raise OtherLayoutError('fields do not lie one after the other')
    places = np.full(expected, -1, dtype=np.int64)
    places[np.arange(len(heads)) + np.cumsum(gaps[:-1])] = heads
    return places
