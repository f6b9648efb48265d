"""Bytes that are kept as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ['ByteCache']

V = TypeVar('V')


class ByteCache(Generic[V]):
    """Values with a size; the one not used for longest goes first. Safe in threads.

    Args:
        capacity: Of all together, bytes.

    Example:
        >>> cache = ByteCache(10)
        >>> for key in 'abc':
        ...     cache.put(key, key.upper(), 5)
        >>> cache.get('a'), cache.get('c')
        (None, 'C')
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Give a value; None if it is not there (any more)."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value; what is larger than the capacity is not kept."""
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._size -= before
            if size > self._capacity:
                return
            self._values[key] = value, size
            self._size += size
            while self._size > self._capacity:
                _, (_, oldest) = self._values.popitem(last=False)
                self._size -= oldest
