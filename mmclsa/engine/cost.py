"""Cost of a step: relative time, memory, and FLOPs of inference."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    'SavedTensors',
    'StepMemory',
    'alternate',
    'count_flops',
    'median_ratio',
    'peak_of_allocations',
    'record_saved_tensors',
    'step_memory',
]


class SavedTensors:
    """Storages that the backward pass will need, each counted once.

    Attributes:
        nbytes: Size of all storages seen so far, in bytes.
    """

    def __init__(self, ignored: set[int]) -> None:
        self.nbytes = 0
        self._ignored = ignored
        # Held, or a storage that is freed and its successor at the same address look alike.
        self._seen: dict[int, Any] = {}

    def take(self, tensor: Tensor) -> Tensor:
        """Note a tensor that autograd saves; give back what it is to keep."""
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address and address not in self._ignored and address not in self._seen:
            self._seen[address] = storage
            self.nbytes += storage.nbytes()
        # An operation's own output would hold the operation that holds it, for ever.
        return tensor.detach()


@contextmanager
def record_saved_tensors(model: nn.Module | None = None) -> Iterator[SavedTensors]:
    """Count what autograd saves while the context is open.

    A tensor that several operations save, or several views of one storage,
    count once. On a GPU this is what is left of the activations when the
    backward pass begins, which is where a step of a convolutional network
    comes near its peak.

    Args:
        model: Its parameters and buffers are not counted.

    Yields:
        The count, which grows.

    Example:
        >>> import torch
        >>> x = torch.ones(10, requires_grad=True)
        >>> with record_saved_tensors() as saved:
        ...     y = x.exp().sum()  # exp saves its result, sum nothing
        >>> saved.nbytes
        40
    """
    own = [] if model is None else [*model.parameters(), *model.buffers()]
    saved = SavedTensors({tensor.untyped_storage().data_ptr() for tensor in own})
    with torch.autograd.graph.saved_tensors_hooks(saved.take, lambda tensor: tensor):
        yield saved


@dataclass(frozen=True)
class StepMemory:
    """Memory of a training step, in bytes.

    Attributes:
        parameters: Parameters and buffers.
        gradients: Gradients of those parameters that are trained.
        optimizer: State of the optimizer.
        activations: Tensors saved for the backward pass.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The sum, without workspaces and what the allocator keeps."""
        return self.parameters + self.gradients + self.optimizer + self.activations


def step_memory(model: nn.Module, saved_bytes: int, optimizer_states: int = 1) -> StepMemory:
    """Add up what a training step holds when its backward pass begins.

    Args:
        model: The model.
        saved_bytes: Saved tensors, of :func:`record_saved_tensors`.
        optimizer_states: Numbers that the optimizer keeps a parameter: 1 for
            SGD with momentum, 2 for AdamW.

    Returns:
        The parts.

    Example:
        >>> from torch import nn
        >>> step_memory(nn.Linear(3, 1), saved_bytes=100).total
        148
    """
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    held = [*model.parameters(), *model.buffers()]
    return StepMemory(
        parameters=sum(tensor.numel() * tensor.element_size() for tensor in held),
        gradients=trained,
        optimizer=optimizer_states * trained,
        activations=saved_bytes,
    )


def peak_of_allocations(run: Callable[[], Any]) -> int:
    """Measure the peak memory of a function on the CPU.

    Reads PyTorch's own record of allocations, so that what other libraries
    and the interpreter hold does not count.

    Args:
        run: The function.

    Returns:
        Bytes above what was held before.

    Example:
        >>> import torch
        >>> peak_of_allocations(lambda: torch.zeros(1000))
        4000
    """
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    events = [e for e in record.profiler.kineto_results.events() if e.name() == '[memory]']
    # Renamed in PyTorch 2.4 or so.
    start = 'start_ns' if events and hasattr(events[0], 'start_ns') else 'start_us'
    held = peak = 0
    for event in sorted(events, key=lambda event: getattr(event, start)()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def count_flops(run: Callable[[], Any]) -> int | None:
    """Count the floating-point operations of matrix products and convolutions.

    Compiled operations of MMCV (RoIAlign, NMS) are not counted.

    Args:
        run: The function to look into.

    Returns:
        The number, a multiply-add as two; None if PyTorch is older than 2.1.

    Example:
        >>> import torch
        >>> count_flops(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
        48
    """
    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ImportError:
        return None
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def alternate(
    runs: Sequence[Callable[[], Any]], repeats: int, device: torch.device
) -> list[list[float]]:
    """Time functions in turn, so that other load on the machine affects all equally.

    Args:
        runs: The functions; each is called once more, first, to warm up.
        repeats: Rounds.
        device: Where they compute: on a GPU the clock is read, on a CPU the
            processor's time of this process.

    Returns:
        Seconds of each round, one list a function.

    Example:
        >>> [len(times) for times in alternate([list, dict], 3, torch.device('cpu'))]
        [3, 3]
    """
    times: list[list[float]] = [[] for _ in runs]
    for repeat in range(repeats + 1):
        for run, taken in zip(runs, times):
            value = _seconds(run, device)
            if repeat:
                taken.append(value)
    return times


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        run()
        torch.cuda.synchronize(device)
        return time.perf_counter() - start
    start = time.process_time()
    run()
    return time.process_time() - start


def median_ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """Compare times that were taken in the same rounds.

    Args:
        times: Seconds of each round.
        base: Seconds of each round that they are divided by.

    Returns:
        The median of the rounds' ratios.

    Example:
        >>> median_ratio([2.0, 9.0, 4.0], [1.0, 3.0, 2.0])
        2.0
    """
    return statistics.median(one / other for one, other in zip(times, base))
