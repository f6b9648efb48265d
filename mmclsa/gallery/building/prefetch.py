"""Making calls ahead of who consumes their results, in threads, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

__all__ = ['run_ahead']

T = TypeVar('T')
_POLL = 0.1  # seconds


def run_ahead(calls: Iterable[Callable[[], T]], threads: int = 2, ahead: int = 16) -> Iterator[T]:
    """Give the results of calls in order while later calls are already made.

    The iterable is gone through in one thread of its own, which may do work
    (decode a video, say), and the calls are made in others; OpenCV and PyTorch free
    the interpreter while they compute.

    Args:
        calls: Functions without arguments.
        threads: That make the calls.
        ahead: Calls that are made before their result is asked for: bounds
            the memory.

    Yields:
        The results, in the order of the calls.

    Raises:
        BaseException: What a call, or the iterable, raises; at its place.

    Example:
        >>> list(run_ahead(lambda n=n: n * n for n in range(5)))
        [0, 1, 4, 9, 16]
    """
    started: queue.Queue[Future[T] | None] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: Future[T] | None) -> None:
        placed = False
        while not placed and not stopped.is_set():
            with suppress(queue.Full):
                started.put(item, timeout=_POLL)
                placed = True

    def feed() -> None:
        try:
            for call in calls:
                if stopped.is_set():
                    return
                put(pool.submit(call))
        except BaseException as error:
            failed: Future[T] = Future()
            failed.set_exception(error)
            put(failed)
        put(None)

    with ThreadPoolExecutor(threads) as pool:
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            while (future := started.get()) is not None:
                yield future.result()
        finally:
            stopped.set()
            feeder.join()
            pool.shutdown(cancel_futures=True)
