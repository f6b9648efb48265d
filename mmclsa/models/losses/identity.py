"""Identity losses: from an embedding to logits over identities and a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.registry import MODELS

__all__ = ['IdentityLoss', 'LinearIdentityLoss', 'labelled_cross_entropy']


def labelled_cross_entropy(
    logits: Tensor, person_ids: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Average the cross entropy over labelled people.

    Args:
        logits: Shape (N, C).
        person_ids: Shape (N,), in 0..C-1, or negative for unlabelled people.
        label_smoothing: Share of probability spread over all identities.

    Returns:
        A scalar; 0 with a gradient path where nobody is labelled.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 4)
        >>> labelled_cross_entropy(logits, torch.tensor([1, -1])).item() == torch.tensor(4.).log()
        tensor(True)
    """
    labelled = person_ids >= 0
    logits = logits.float() if logits.dtype.itemsize < 4 else logits
    if not labelled.any():
        return logits.sum() * 0
    return F.cross_entropy(logits[labelled], person_ids[labelled], label_smoothing=label_smoothing)


class IdentityLoss(nn.Module, ABC):
    """Base of the classifiers that :class:`MultiScaleReIDHead` puts on a level.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities.
        loss_weight: Weight ``w_id``.
    """

    def __init__(self, embed_dims: int, num_identities: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.num_identities = num_identities
        self.loss_weight = loss_weight

    @abstractmethod
    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D); the first C columns are the identities."""

    @abstractmethod
    def loss(self, logits: Tensor, person_ids: Tensor) -> Tensor:
        """Turn logits and ids (N,), -1 = unlabelled, into a weighted scalar."""

    def update(self, embeddings: Tensor, person_ids: Tensor) -> None:
        """Take the batch into the memory, where there is one."""

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
        """Score embeddings (N, D) against the C identities, shape (N, C)."""
        if self.cosine_scale is None:
            return self.classifier(embeddings)
        return self.cosine_scale * F.linear(
            F.normalize(embeddings), F.normalize(self.classifier.weight)
        )

    def loss(self, logits: Tensor, person_ids: Tensor) -> Tensor:
        """Cross entropy of labelled people; see :func:`labelled_cross_entropy`."""
        return self.loss_weight * labelled_cross_entropy(logits, person_ids, self.label_smoothing)
