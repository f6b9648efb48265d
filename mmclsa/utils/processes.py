"""The processes that ``torchrun`` has started, and what they tell one another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

__all__ = ['Processes', 'is_launched', 'joined_processes']

T = TypeVar('T')


def is_launched() -> bool:
    """Say whether ``torchrun`` has started this process beside others."""
    return int(os.environ.get('WORLD_SIZE', '1')) > 1 and 'RANK' in os.environ


class Processes:
    """All processes of a launch, seen from one of them; every one makes each call.

    Attributes:
        rank: Number of this process.
        world_size: How many there are.
    """

    def __init__(self) -> None:
        from torch import distributed

        self.rank: int = distributed.get_rank()
        self.world_size: int = distributed.get_world_size()

    def broadcast(self, value: T) -> T:
        """Give every process what the first has.

        Args:
            value: Anything that can be pickled; of the others it is ignored.
        """
        from torch import distributed

        box: list[Any] = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """Wait for all; give the first process the values of all processes.

        Returns:
            By rank; in the other processes an empty list.
        """
        from torch import distributed

        values: list[Any] | None = [None] * self.world_size if self.rank == 0 else None
        distributed.gather_object(value, values, dst=0)
        return values or []


@contextmanager
def joined_processes(timeout: timedelta) -> Iterator[Processes]:
    """Join the other processes, unless somebody has; leave them again in order.

    A process that ends with its group still there dies now and then, of threads
    of gloo that are still at work (github.com/pytorch/pytorch/pull/179291).
    """
    from torch import distributed

    if distributed.is_initialized():
        yield Processes()
        return
    distributed.init_process_group('gloo', timeout=timeout)
    try:
        yield Processes()
    finally:
        distributed.destroy_process_group()
