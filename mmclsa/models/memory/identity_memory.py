"""The memory of online instance matching: a table and a circular queue."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_sizes

__all__ = ['IdentityMemory', 'queue_slots', 'rank_among_equals']


def rank_among_equals(values: Tensor) -> Tensor:
    """Count, for each element, the equal elements before it.

    Args:
        values: Shape (N,), integers.

    Returns:
        Shape (N,), int64.

    Example:
        >>> import torch
        >>> rank_among_equals(torch.tensor([7, 3, 7, 7, 3]))
        tensor([0, 0, 1, 2, 1])
    """
    order = torch.argsort(values, stable=True)
    ordered = values[order]
    starts = torch.searchsorted(ordered, ordered)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(values), device=values.device) - starts
    return ranks


def queue_slots(pointer: Tensor, count: int, size: int) -> Tensor:
    """List the slots that ``count`` newcomers take in a circular queue.

    Args:
        pointer: The next slot to write, shape (), int64.
        count: Number of newcomers, at most ``size``.
        size: Number of slots.

    Returns:
        Shape (count,), int64.

    Example:
        >>> import torch
        >>> queue_slots(torch.tensor(3), 3, 5)
        tensor([3, 4, 0])
    """
    return (pointer + torch.arange(count, device=pointer.device)) % size


class IdentityMemory(nn.Module):
    """Look-up table of labelled identities and circular queue of unlabelled people.

    All state lies in buffers, the queue's pointer included, so that a resumed
    run continues exactly. They are float32 (float64 in a float64 model)
    whatever the embeddings are. With several processes give every rank's
    :meth:`update` the people of all ranks, in one order, as
    :class:`~mmclsa.models.gather.RowGatherer` does: then every rank holds the
    same memory.

    Args:
        num_identities: Rows of the table.
        queue_size: Slots of the queue; 0 for none.
        embed_dims: Size D of an embedding.
        momentum: Share of the old row that an update keeps, in [0, 1].
    """

    table: Tensor
    queue: Tensor
    queue_pointer: Tensor

    def __init__(
        self, num_identities: int, queue_size: int, embed_dims: int, momentum: float = 0.5
    ) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ConfigError(f'momentum must lie in [0, 1], but got {momentum}')
        check_sizes('OIMLoss', num_identities=num_identities, embed_dims=embed_dims)
        check_sizes('OIMLoss', 0, queue_size=queue_size)
        self.momentum = momentum
        self.register_buffer('table', torch.zeros(num_identities, embed_dims))
        self.register_buffer('queue', torch.zeros(queue_size, embed_dims))
        self.register_buffer('queue_pointer', torch.zeros((), dtype=torch.int64))

    def prototypes(self) -> Tensor:
        """Copy out table and queue, shape (num_identities + queue_size, D).

        A copy, because the backward pass still needs these values after
        :meth:`update` has changed the buffers.
        """
        return torch.cat([self.table, self.queue])

    @torch.no_grad()
    def update(self, embeddings: Tensor, person_ids: Tensor) -> None:
        """Take people in, one after the other; what is not finite stays out.

        Args:
            embeddings: Shape (N, D), any length and precision.
            person_ids: Shape (N,), -1 = unlabelled. On the host if it can be:
                from a device they have to be waited for.
        """
        ids = person_ids.cpu()
        rows = F.normalize(embeddings.detach().to(self.table.dtype))
        labelled = (ids >= 0).nonzero().squeeze(1)
        strangers = (ids < 0).nonzero().squeeze(1)
        self._update_table(rows[labelled.to(rows.device)], ids[labelled])
        self._update_queue(rows[strangers.to(rows.device)])

    def _update_table(self, embeddings: Tensor, person_ids: Tensor) -> None:
        # An identity that comes twice is updated twice, one after the other, as the
        # paper's loop does; each round takes every identity at most once.
        rounds = rank_among_equals(person_ids)
        for index in range(int(rounds.max()) + 1 if len(rounds) else 0):
            chosen = (rounds == index).nonzero().squeeze(1)
            rows = person_ids[chosen].to(embeddings.device)
            old, new = self.table[rows], embeddings[chosen.to(embeddings.device)]
            mixed = F.normalize(self.momentum * old + (1 - self.momentum) * new)
            self.table[rows] = _finite_or(mixed, old)

    def _update_queue(self, embeddings: Tensor) -> None:
        size = len(self.queue)
        if size == 0:
            return
        overflow = max(len(embeddings) - size, 0)
        # Of more newcomers than slots only the last survive, where the loop would put them.
        start = (self.queue_pointer + overflow) % size
        newcomers = embeddings[overflow:]
        slots = queue_slots(start, len(newcomers), size)
        self.queue[slots] = _finite_or(newcomers, self.queue[slots])
        self.queue_pointer.copy_((start + len(newcomers)) % size)


def _finite_or(rows: Tensor, others: Tensor) -> Tensor:
    """Replace each row that is not finite, without a look at it from the host."""
    return torch.where(rows.isfinite().all(dim=1, keepdim=True), rows, others)
