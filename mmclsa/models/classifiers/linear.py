"""A linear classifier over identities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.models.checks import check_number, check_sizes
from mmclsa.models.classifiers.base import IdentityClassifier
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['LinearIdentityLoss']


@MODELS.register_module()
class LinearIdentityLoss(IdentityClassifier):
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
        super().__init__(embed_dims, num_identities, loss_weight, label_smoothing)
        check_sizes(type(self).__name__, embed_dims=embed_dims, num_identities=num_identities)
        check_number(type(self).__name__, 0, above=True, cosine_scale=cosine_scale)
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
