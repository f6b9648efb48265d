"""What a loss that aligns levels is given, and what it must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS

__all__ = ['AlignmentLoss', 'LevelOutputs', 'build_alignment']


@dataclass(frozen=True, eq=False)
class LevelOutputs:
    """What the levels say of the people of a training batch.

    Attributes:
        logits: One (N, C) tensor a level, from low to high.
        embeddings: One (N, D) tensor a level, after the batch-norm neck.
        person_ids: Shape (N,), -1 = unlabelled.
        weight: Weight of each person, shape (N,); None for 1.
        avg_factor: What sums over people are divided by, > 0.
        everybody: One (M, D) tensor a level: the embeddings of all ranks, for
            losses with ``compares_people``; else empty.
        everybody_ids: Shape (M,), the ids of all ranks; None where they were not asked for.
        followed: Shape (N,), whose prediction each person follows: his own,
            or that of another picture of the same person; None for his own.
    """

    logits: Sequence[Tensor]
    embeddings: Sequence[Tensor]
    person_ids: Tensor
    weight: Tensor | None
    avg_factor: float
    everybody: Sequence[Tensor] = ()
    everybody_ids: Tensor | None = None
    followed: Tensor | None = None


class AlignmentLoss(nn.Module, ABC):
    """Base of the losses that pull levels towards each other."""

    #: Whether :meth:`of_levels` wants the embeddings of all ranks.
    compares_people: bool = False

    @abstractmethod
    def of_levels(self, outputs: LevelOutputs) -> dict[int, Tensor]:
        """Compute the weighted loss of each level that follows another.

        Args:
            outputs: Of all levels.

        Returns:
            A scalar >= 0 for each level that is pulled.
        """


def build_alignment(cfg: dict[str, Any] | None) -> AlignmentLoss | None:
    """Build the ``loss_align`` of a head.

    Args:
        cfg: Its config; None for none.

    Returns:
        The loss, or None.

    Raises:
        ConfigError: If it is no :class:`AlignmentLoss`.
    """
    loss = MODELS.build(cfg) if cfg else None
    if not isinstance(loss, (AlignmentLoss, type(None))):
        raise ConfigError(f'loss_align must be an AlignmentLoss, but {type(loss).__name__} is none')
    return loss
