"""Threads: so few for each kind of work that slow work of one kind leaves the others alone."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from mmclsa.webui.problems import BusyError

__all__ = ['KeyedExecutor', 'Workers']

#: Of work that takes long: so much of a kind may run or wait.
_MOST = {'export': 8}
R = TypeVar('R')
Job = tuple['Future[Any]', Callable[..., Any], tuple[Any, ...]]


class KeyedExecutor:
    """Runs jobs of one key one after the other, and jobs of several keys side by side.

    What waits for a busy key holds no thread, so that a slow file is waited for
    only by those who want it.

    Args:
        threads: So many keys at once.
        name: Of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._waiting: dict[Hashable, deque[Job]] = {}
        self._lock = threading.Lock()

    def submit(self, key: Hashable, function: Callable[..., R], *args: Any) -> Future[R]:
        """Run a function when its key's turn comes."""
        future: Future[R] = Future()
        with self._lock:
            busy = key in self._waiting
            self._waiting.setdefault(key, deque()).append((future, function, args))
        if not busy:
            self._pool.submit(self._run_one, key)
        return future

    def _run_one(self, key: Hashable) -> None:
        with self._lock:
            future, function, args = self._waiting[key].popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)
        with self._lock:
            if not self._waiting[key]:
                del self._waiting[key]
                return
        self._pool.submit(self._run_one, key)

    def shutdown(self) -> None:
        """Take no more jobs; those that wait are dropped."""
        with self._lock:
            for jobs in self._waiting.values():
                for future, *_ in jobs:
                    future.cancel()
        self._pool.shutdown(wait=False)


class Workers:
    """The threads of a server, by what they do."""

    def __init__(self) -> None:
        self._pools = {
            'index': ThreadPoolExecutor(4, 'index'),
            'model': ThreadPoolExecutor(2, 'model'),
            'people': ThreadPoolExecutor(1, 'people'),
            'export': ThreadPoolExecutor(2, 'export'),
        }
        self._files = KeyedExecutor(8, 'files')
        self._asked = dict.fromkeys(self._pools, 0)

    async def run(self, kind: str, function: Callable[..., R], *args: Any) -> R:
        """Run a function in a thread of its kind: index, model, people or export.

        Raises:
            BusyError: If too much of this kind runs or waits.
        """
        if self._asked[kind] >= _MOST.get(kind, math.inf):
            raise BusyError(f'too many wait for an {kind}: try again in a moment')
        self._asked[kind] += 1
        try:
            return await asyncio.wrap_future(self._pools[kind].submit(function, *args))
        finally:
            self._asked[kind] -= 1

    async def read(self, source: str, function: Callable[..., R], *args: Any) -> R:
        """Run a function that decodes a file; one at a time for each file."""
        return await asyncio.wrap_future(self._files.submit(source, function, *args))

    def read_now(self, source: str, function: Callable[..., R], *args: Any) -> R:
        """Do the same, for a caller in a thread of another kind, who waits."""
        return self._files.submit(source, function, *args).result()

    def shutdown(self) -> None:
        """End the threads, when what they do is done."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._files.shutdown()
