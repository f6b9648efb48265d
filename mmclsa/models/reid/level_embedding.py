"""One level's way from a feature map to an embedding."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.models.reid.pooling import StripePooling

__all__ = ['BNNeck', 'LevelEmbedding']


class BNNeck(nn.BatchNorm1d):
    """Batch norm that also takes a training batch of no or one person.

    With fewer than two people there is no variance to estimate; the running
    statistics serve, and stay as they are.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise embeddings of shape (N, D)."""
        if self.training and len(input) < 2:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


class LevelEmbedding(nn.Module):
    """Pool, project, normalise: the embedding of one pyramid level.

    The batch-norm neck follows Luo et al., "Bag of Tricks and a Strong
    Baseline for Deep Person Re-Identification", 2019: a metric loss takes the
    embedding before it, a classifier and retrieval the one after it.

    Args:
        in_channels: Channels of the level's map.
        embed_dims: Size D of the embedding.
        pool: 'avg', 'max' or 'gem'.
        num_stripes: Horizontal stripes pooled apart.
        dropout: Probability of zeroing a pooled value in training.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        pool: str = 'avg',
        num_stripes: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pooling = StripePooling(pool, num_stripes)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(in_channels * num_stripes, embed_dims, bias=False)
        self.bn_neck = BNNeck(embed_dims)
        nn.init.kaiming_normal_(self.projection.weight, mode='fan_out')
        # As in the cited work: no shift, so that the classifier's space is centred.
        self.bn_neck.bias.requires_grad_(False)

    def forward(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Embed feats (N, C, H, W).

        Returns:
            The embeddings before and after the batch-norm neck, each (N, D).
        """
        projected = self.projection(self.dropout(self.pooling(feats)))
        return projected, self.bn_neck(projected)
