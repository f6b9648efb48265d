"""Who is in a training batch, on this rank and on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mmclsa.errors import ConfigError, UserError
from mmclsa.models.gather import RowGatherer

__all__ = [
    'Everybody',
    'check_num_identities',
    'count_people',
    'count_people_of_all_ranks',
    'gather_everybody',
    'read_people',
]


@dataclass
class Everybody:
    """The people of all ranks in one step.

    Attributes:
        person_ids: Shape (M,), on the embeddings' device.
        host_ids: The same on the host.
        before: Embeddings (M, D) before the batch-norm neck, one a level, or
            none where no loss wants them.
        after: Embeddings (M, D) after it, as ``before``.
    """

    person_ids: Tensor
    host_ids: Tensor
    before: list[Tensor]
    after: list[Tensor]

    def mean_number(self, unlabelled: bool) -> float:
        """Count people a rank, on average and never 0, as a loss's divisor.

        Args:
            unlabelled: Count people without identity too.
        """
        number = len(self.host_ids) if unlabelled else int((self.host_ids >= 0).sum())
        return max(number, 1) / get_world_size()


def read_people(
    person_ids: Tensor, owners: Tensor | None, num_identities: int
) -> tuple[list[int], list[int]]:
    """Read and check who is in a batch: one wait for the device, and the only one for it.

    Args:
        person_ids: Shape (N,), -1 = unlabelled.
        owners: Shape (N,), which ground-truth box each row is a copy of; None
            where no row is a copy of another.
        num_identities: Ids must lie below it.

    Returns:
        The ids and the owners.

    Raises:
        UserError: If an id lies outside of -1..num_identities-1.
    """
    if owners is None:
        ids, copies = person_ids.tolist(), list(range(len(person_ids)))
    else:
        ids, copies = torch.stack([person_ids, owners.to(person_ids)]).tolist()
    wrong = [value for value in ids if not -1 <= value < num_identities]
    if wrong:
        raise UserError(
            f'person_ids must lie in -1..{num_identities - 1} for '
            f'num_identities={num_identities}, but got {wrong[0]}'
        )
    return ids, copies


def check_num_identities(number: int) -> None:
    """Refuse a number of training identities that no head can have.

    Args:
        number: Of labelled identities.

    Raises:
        ConfigError: If there are none, or too many: ids travel as float32.

    Example:
        >>> check_num_identities(5532)
    """
    if number < 1:
        raise ConfigError(f'num_identities must be at least 1, but got {number}')
    if number >= 2**24:
        raise ConfigError(
            'num_identities must be below 2^24, beyond which float32 has no whole numbers, but '
            f'got {number}'
        )


def gather_everybody(
    gather: RowGatherer,
    person_ids: Tensor,
    host_ids: Sequence[int],
    before: Sequence[Tensor],
    after: Sequence[Tensor],
) -> Everybody:
    """Gather the people of all ranks.

    Args:
        gather: What gathers.
        person_ids: Of this rank, shape (N,).
        host_ids: The same on the host.
        before: Embeddings (N, D) before the batch-norm neck, one a level, or
            none; they become :attr:`Everybody.before`.
        after: Those after it; they become :attr:`Everybody.after`.

    Returns:
        Everybody.
    """
    ids, *rows = gather([person_ids, *before, *after])
    # Alone it need not be waited for again.
    known = torch.tensor(host_ids, dtype=ids.dtype) if ids is person_ids else ids.cpu()
    return Everybody(ids, known, rows[: len(before)], rows[len(before) :])


def count_people(person_ids: Sequence[int], owners: Sequence[int]) -> int:
    """Count the different people of a batch.

    Args:
        person_ids: -1 = unlabelled.
        owners: Which ground-truth box each is a copy of. Two unlabelled boxes
            count as two people, however alike.

    Returns:
        Their number.

    Example:
        >>> count_people([3, 3, -1, -1, -1], [0, 1, 2, 2, 3])
        3
    """
    known = {person for person in person_ids if person >= 0}
    unknown = {owner for person, owner in zip(person_ids, owners) if person < 0}
    return len(known) + len(unknown)


def count_people_of_all_ranks(number: int, norms: Sequence[nn.Module], like: Tensor) -> int:
    """Add up the people of all ranks, where a batch norm works over all of them.

    Args:
        number: Of this rank.
        norms: The batch norms that are to decide by it.
        like: Tensor on the right device.

    Returns:
        The sum if one of the norms is a ``SyncBatchNorm``: each rank then has
        to take part in its statistics, or none. Else ``number``.
    """
    if get_world_size() == 1 or not any(isinstance(n, nn.SyncBatchNorm) for n in norms):
        return number
    total = torch.tensor(number, device=like.device)
    all_reduce(total)
    return int(total)
