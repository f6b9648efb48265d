"""Requests to stop: by a signal of the cluster, or by the end of the parent process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from mmclsa.utils.cli import PREEMPTED_EXIT_CODE

__all__ = ['ShieldedWorker', 'StopRequest', 'stop_request', 'watch_parent']

_GRACE_SECONDS = 45.0


class StopRequest:
    """Whether this process was asked to stop, and why.

    Attributes:
        reason: Source of the request, such as 'SIGTERM'; None if there is none yet.
        heeded: Whether somebody looks at ``reason`` and will save and leave.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.heeded = False
        self._before: dict[int, Any] = {}

    def heed(self, signals: tuple[str, ...]) -> None:
        """Record these signals from now on instead of being terminated by them.

        Args:
            signals: Names; those that the system lacks are left out.
        """
        self.release()  # of a training that broke off
        self.heeded = True
        if threading.current_thread() is not threading.main_thread():
            return
        for name in signals:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._note)

    def release(self) -> None:
        """Give the signals back to whoever had them before, and forget what came."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        self.heeded = False
        self.reason = None

    def _note(self, number: int, frame: Any) -> None:
        self.reason = self.reason or signal.Signals(number).name


stop_request = StopRequest()


class ShieldedWorker:
    """Let a data worker outlive the signals that are meant for the training.

    A cluster sends its signal to every process of a job. A worker that died
    of it would end the training before it could save. A worker heeds SIGTERM
    of its parent alone, which is how a loader ends it.

    Args:
        init: The worker's own ``worker_init_fn``, if it has one.
        signals: Names of the signals.
    """

    def __init__(self, init: Callable[[int], None] | None, signals: tuple[str, ...]) -> None:
        self.init = init
        self.signals = signals

    def __call__(self, worker_id: int) -> None:
        """Prepare a worker; called in it.

        Args:
            worker_id: Number of the worker.
        """
        if self.init is not None:
            self.init(worker_id)
        if not hasattr(signal, 'sigwaitinfo'):  # macOS
            return
        numbers = {getattr(signal, name) for name in self.signals if hasattr(signal, name)}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        threading.Thread(target=_heed_parent_alone, args=(numbers,), daemon=True).start()


def _heed_parent_alone(numbers: set[int]) -> None:
    while True:
        told = signal.sigwaitinfo(numbers)
        if told.si_signo == signal.SIGTERM and told.si_pid == os.getppid():
            os._exit(0)


def watch_parent(request: StopRequest = stop_request, every: float = 1.0) -> threading.Thread:
    """End this process when the one that started it is gone.

    ``torchrun`` and ``srun`` end their processes, but one that is killed
    itself cannot: the processes would train on unseen, and a second start
    would write into the same folder. If the training heeds ``request`` it
    may save first; if that takes too long, as it does when it waits for a
    process that is gone, this process ends all the same.

    Args:
        request: Where to leave the word.
        every: Seconds between two looks.

    Returns:
        The thread that watches.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        print(
            f'error: the process {parent} that started this one is gone, so this one ends too',
            file=sys.stderr,
            flush=True,
        )
        if request.heeded:
            request.reason = request.reason or 'the end of the process above'
            time.sleep(_GRACE_SECONDS)
        os._exit(PREEMPTED_EXIT_CODE)

    thread = threading.Thread(target=watch, name='watch_parent', daemon=True)
    thread.start()
    return thread
