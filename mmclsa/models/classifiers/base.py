"""What an identity classifier must do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mmclsa.models.checks import check_number
from mmclsa.models.losses.cross_entropy import labelled_cross_entropy

__all__ = ['IdentityClassifier']


class IdentityClassifier(nn.Module, ABC):
    """What tells identities apart on a level, and what it costs to be wrong.

    It holds the classifier: weights that are trained, or a memory. A
    :class:`~mmclsa.models.reid.MultiScaleReIDHead` has one a level.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities.
        loss_weight: Weight ``w_id``.
        label_smoothing: Share of probability spread over all columns of the
            logits.
    """

    #: Whether :meth:`update` wants the embeddings of all ranks.
    has_memory: bool = False

    def __init__(
        self,
        embed_dims: int,
        num_identities: int,
        loss_weight: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        check_number(type(self).__name__, 0, 1, label_smoothing=label_smoothing)
        self.embed_dims = embed_dims
        self.num_identities = num_identities
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight

    @abstractmethod
    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D); the first C columns are the identities."""

    def loss(self, logits: Tensor, person_ids: Tensor, avg_factor: float | None = None) -> Tensor:
        """Compute the weighted cross entropy of labelled people.

        Args:
            logits: Shape (N, C) or wider, of :meth:`logits`.
            person_ids: Shape (N,), -1 = unlabelled.
            avg_factor: See :func:`~mmclsa.models.losses.labelled_cross_entropy`.

        Returns:
            A scalar.
        """
        return self.loss_weight * labelled_cross_entropy(
            logits, person_ids, self.label_smoothing, avg_factor
        )

    def update(self, embeddings: Tensor, person_ids: Tensor) -> None:
        """Take people into the memory, where there is one.

        Args:
            embeddings: Shape (N, D), of all ranks.
            person_ids: Shape (N,), of all ranks, -1 = unlabelled.
        """

    def forward(self, embeddings: Tensor, person_ids: Tensor) -> Tensor:
        """Compute the loss of embeddings (N, D) with ids (N,)."""
        return self.loss(self.logits(embeddings), person_ids)
