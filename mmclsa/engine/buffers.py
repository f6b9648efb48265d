"""Buffers that differ between processes: batch norm's running statistics."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmengine.dist import all_gather, all_reduce, get_world_size
from mmengine.runner import Runner
from torch import Tensor

from mmclsa.engine.bare_model import bare_model

__all__ = ['average_buffers', 'gather_rank_buffers', 'named_buffers']


def named_buffers(runner: Runner) -> dict[str, Tensor]:
    """List the buffers of a runner's model and of its moving averages.

    Args:
        runner: The runner.

    Returns:
        Name to buffer; those of an ``EMAHook`` begin with ``ema.``.
    """
    buffers = dict(bare_model(runner).named_buffers())
    for hook in runner.hooks:
        average = getattr(hook, 'ema_model', None)
        if average is not None:
            buffers.update((f'ema.{name}', buffer) for name, buffer in average.named_buffers())
    return buffers


@torch.no_grad()
def average_buffers(buffers: Iterable[Tensor]) -> None:
    """Replace floating-point buffers by their mean over all processes.

    In one collective. The sum is in float64, so that a float32 buffer that
    is the same everywhere, such as an identity memory, keeps every bit
    whatever the number of processes. Integers are left alone: counters and
    pointers are the same everywhere, and a mean of them is none.

    Args:
        buffers: In the same order in all processes; changed in place.

    Example:
        >>> average_buffers([torch.ones(2)])  # one process: nothing to do
    """
    floating = [buffer for buffer in buffers if buffer.is_floating_point() and buffer.numel()]
    if get_world_size() == 1 or not floating:
        return
    flat = torch.cat([buffer.double().flatten() for buffer in floating])
    all_reduce(flat)
    flat /= get_world_size()
    for buffer, mean in zip(floating, flat.split([b.numel() for b in floating])):
        buffer.copy_(mean.view_as(buffer))


@torch.no_grad()
def gather_rank_buffers(buffers: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Collect the buffers that are not the same in all processes.

    Args:
        buffers: Name to buffer, the same names in all processes.

    Returns:
        For each rank, name to its buffer on the CPU; empty dicts where all
        are equal, an empty list in a single process.

    Example:
        >>> gather_rank_buffers({'mean': torch.ones(2)})
        []
    """
    if get_world_size() == 1 or not buffers:
        return []
    sums = torch.stack([buffer.double().sum() for buffer in buffers.values()])
    everybody = torch.stack(all_gather(sums))
    differs = (everybody != everybody[0]).any(0).tolist()
    chosen = [(n, b) for (n, b), differs in zip(buffers.items(), differs) if differs]
    if not chosen:
        return [{} for _ in everybody]
    flat = torch.cat([buffer.double().flatten() for _, buffer in chosen])
    sizes = [buffer.numel() for _, buffer in chosen]
    return [
        {
            name: part.view_as(buffer).to(buffer.dtype).cpu()
            for (name, buffer), part in zip(chosen, of_rank.split(sizes))
        }
        for of_rank in all_gather(flat)
    ]
