"""Identity losses: from an embedding to logits over identities and a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['IdentityLoss', 'LinearIdentityLoss', 'labelled_cross_entropy']


def labelled_cross_entropy(
    logits: Tensor,
    person_ids: Tensor,
    label_smoothing: float = 0.0,
    avg_factor: float | None = None,
) -> Tensor:
    """Average the cross entropy over labelled people.

    Args:
        logits: Shape (N, C).
        person_ids: Shape (N,), in 0..C-1, or -1 for unlabelled people.
        label_smoothing: Share of probability spread over all identities.
        avg_factor: What the sum is divided by, > 0; None for the number of
            labelled people. With several processes it is their mean number a
            rank, so that the mean over ranks is the mean over people.

    Returns:
        A scalar, float32 or wider; 0 with a gradient path where nobody is
        labelled.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 4)
        >>> labelled_cross_entropy(logits, torch.tensor([1, -1])).item() == torch.tensor(4.).log()
        tensor(True)
    """
    total = F.cross_entropy(
        at_least_float32(logits),
        person_ids,
        ignore_index=-1,
        reduction='sum',
        label_smoothing=label_smoothing,
    )
    return total / ((person_ids >= 0).sum().clamp(min=1) if avg_factor is None else avg_factor)


class IdentityLoss(nn.Module, ABC):
    """Base of the classifiers that :class:`MultiScaleReIDHead` puts on a level.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities.
        loss_weight: Weight ``w_id``.
    """

    #: Whether :meth:`update` wants the embeddings of all ranks.
    has_memory: bool = False

    def __init__(self, embed_dims: int, num_identities: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.num_identities = num_identities
        self.loss_weight = loss_weight

    @abstractmethod
    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D); the first C columns are the identities."""

    @abstractmethod
    def loss(self, logits: Tensor, person_ids: Tensor, avg_factor: float | None = None) -> Tensor:
        """Turn logits and ids into a weighted scalar.

        Args:
            logits: Shape (N, C) or wider, of :meth:`logits`.
            person_ids: Shape (N,), -1 = unlabelled.
            avg_factor: See :func:`labelled_cross_entropy`.

        Returns:
            A scalar.
        """

    def update(self, embeddings: Tensor, person_ids: Tensor) -> None:
        """Take people into the memory, where there is one.

        Args:
            embeddings: Shape (N, D), of all ranks.
            person_ids: Shape (N,), -1 = unlabelled, likewise.
        """

    def forward(self, embeddings: Tensor, person_ids: Tensor) -> Tensor:
        """Compute the loss of embeddings (N, D) with ids (N,)."""
        return self.loss(self.logits(embeddings), person_ids)


@MODELS.register_module()
class LinearIdentityLoss(IdentityLoss):
    """A linear classifier with softmax cross entropy.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities.
        label_smoothing: Share of probability spread over all identities.
        cosine_scale: If given, logits are this scale times the cosine of
            embedding and class weight; otherwise a plain linear layer.
        loss_weight: Weight ``w_id``.
    """

    def __init__(
        self,
        embed_dims: int,
        num_identities: int,
        label_smoothing: float = 0.0,
        cosine_scale: float | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(embed_dims, num_identities, loss_weight)
        self.label_smoothing = label_smoothing
        self.cosine_scale = cosine_scale
        self.classifier = nn.Linear(embed_dims, num_identities, bias=False)
        # Small weights: the embeddings come out of a batch norm, with unit variance a channel.
        nn.init.normal_(self.classifier.weight, std=0.001 if cosine_scale is None else 1.0)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D) against the C identities, shape (N, C).

        In float32 also under autocast: the alignment compares these logits.
        """
        with full_precision(embeddings):
            embeddings = at_least_float32(embeddings)
            if self.cosine_scale is None:
                return self.classifier(embeddings)
            units = F.normalize(embeddings), F.normalize(self.classifier.weight)
            return self.cosine_scale * F.linear(*units)

    def loss(self, logits: Tensor, person_ids: Tensor, avg_factor: float | None = None) -> Tensor:
        """Cross entropy of labelled people; see :func:`labelled_cross_entropy`."""
        return self.loss_weight * labelled_cross_entropy(
            logits, person_ids, self.label_smoothing, avg_factor
        )
