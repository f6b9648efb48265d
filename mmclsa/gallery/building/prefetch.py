"""Making calls ahead of who consumes their results, in threads, in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ['run_ahead']

T = TypeVar('T')


def run_ahead(
    calls: Iterable[Callable[[], T]],
    threads: int = 2,
    ahead: int = 16,
    weigh: Callable[[T], int] | None = None,
    max_bytes: int | None = None,
) -> Iterator[T]:
    """Give the results of calls in order while later calls are already made.

    The iterable is gone through in one thread of its own, which may do work
    (decode a video, say), and the calls are made in others; OpenCV and PyTorch free
    the interpreter while they compute.

    Args:
        calls: Functions without arguments.
        threads: That make the calls.
        ahead: Calls that are made before their result is asked for: bounds
            the memory.
        weigh: Tells the bytes of a result; 0 for one that tells nothing of the next.
        max_bytes: Of the results that nobody has asked for yet, if each is as heavy
            as the last that was made; at least one call a thread is made all the same.

    Yields:
        The results, in the order of the calls.

    Raises:
        BaseException: What a call, or the iterable, raises; at its place.

    Example:
        >>> list(run_ahead(lambda n=n: n * n for n in range(5)))
        [0, 1, 4, 9, 16]
    """
    line: _Line[T] = _Line(ahead)

    def make(call: Callable[[], T]) -> T:
        result = call()
        weight = 0 if weigh is None else weigh(result)
        if weight and max_bytes is not None:
            line.resize(max(threads, min(ahead, max_bytes // weight)))
        return result

    def feed() -> None:
        try:
            for call in calls:
                if not line.put(pool.submit(make, call)):
                    return
        except BaseException as error:
            failed: Future[T] = Future()
            failed.set_exception(error)
            line.put(failed)
        line.put(None)

    with ThreadPoolExecutor(threads) as pool:
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            while (future := line.get()) is not None:
                yield future.result()
        finally:
            line.stop()
            feeder.join()
            pool.shutdown(cancel_futures=True)


class _Line(Generic[T]):
    """Calls that wait for who asks for their results: a queue whose length may change."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._waiting: deque[Future[T] | None] = deque()
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, future: Future[T] | None) -> bool:
        """Wait for room; False if nobody will ask any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._waiting) < self._length)
            if not self._stopped:
                self._waiting.append(future)
                self._changed.notify_all()
            return not self._stopped

    def get(self) -> Future[T] | None:
        """Wait for the next."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            future = self._waiting.popleft()
            self._changed.notify_all()
            return future

    def resize(self, length: int) -> None:
        """Let so many wait from now on."""
        with self._changed:
            self._length = length
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait for room any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
