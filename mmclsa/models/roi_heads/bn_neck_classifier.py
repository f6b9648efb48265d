"""A linear classifier of unit vectors."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.models.classifiers import LinearIdentityLoss
from mmclsa.models.precision import at_least_float32
from mmclsa.models.roi_heads.norms import normalise_rows
from mmclsa.registry import MODELS

__all__ = ['BNNeckIdentityLoss']


@MODELS.register_module()
class BNNeckIdentityLoss(LinearIdentityLoss):
    """A linear classifier on the batch-normalised direction of an embedding.

    COAT trains it beside OIM. The batch norm has no shift that is learnt, as
    in Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person
    Re-Identification", 2019.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities.
        options: Of :class:`LinearIdentityLoss`.

    Example:
        >>> import torch
        >>> BNNeckIdentityLoss(8, 5).logits(torch.rand(3, 8)).shape
        torch.Size([3, 5])
    """

    def __init__(self, embed_dims: int, num_identities: int, **options: Any) -> None:
        super().__init__(embed_dims, num_identities, **options)
        self.norm = nn.BatchNorm1d(embed_dims)
        self.norm.bias.requires_grad_(False)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D) of any length against the C identities, shape (N, C)."""
        units = F.normalize(at_least_float32(embeddings))
        return super().logits(normalise_rows(self.norm, units))
