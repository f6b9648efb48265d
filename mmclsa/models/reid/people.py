"""Who is in a training batch, on this rank and on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mmclsa.errors import UserError

__all__ = ['Everybody', 'count_people', 'count_people_of_all_ranks', 'read_people']


@dataclass
class Everybody:
    """The people of all ranks in one step.

    Attributes:
        person_ids: Shape (M,), on the embeddings' device.
        host_ids: The same on the host.
        before: Embeddings (M, D) before the batch-norm neck, one a level, or
            none where no loss wants them.
        after: Embeddings (M, D) after it, likewise.
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
