"""One level's way from a feature map to an embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.models.reid.person_block import PersonBlock
from mmclsa.models.reid.pooling import StripePooling

__all__ = ['LevelEmbedding', 'running_norm']


def running_norm(norm: nn.modules.batchnorm._NormBase, rows: Tensor, rate: float) -> Tensor:
    """Normalise a small training batch by the running statistics.

    The batch moves the statistics first: mean and variance become those of
    the mixture of what was seen (share ``1 - rate``) and the batch (share
    ``rate``). So a variance grows out of batches that have none, each being
    of one person. No gradient flows through the statistics.

    Args:
        norm: Batch norm of D channels with running statistics and weights.
        rows: Shape (N, D), also no row.
        rate: Share of the batch, in [0, 1].

    Returns:
        Shape (N, D).

    Example:
        >>> import torch
        >>> norm = torch.nn.BatchNorm1d(1, eps=0.0)
        >>> running_norm(norm, torch.tensor([[2.0], [2.0]]), 0.5)[0].item()
        0.8164...
        >>> norm.running_mean.item(), norm.running_var.item()
        (1.0, 1.5)
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance = norm.running_mean, norm.running_var
    if len(rows):
        with torch.no_grad():
            batch_variance, batch_mean = torch.var_mean(rows, dim=0, unbiased=False)
            shift = batch_mean - mean
            variance = (1 - rate) * (variance + rate * shift.square()) + rate * batch_variance
            mean = mean + rate * shift
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return (rows - mean) * (norm.weight * (variance + norm.eps).rsqrt()) + norm.bias


class LevelEmbedding(nn.Module):
    """Pool, project, normalise: the embedding of one pyramid level.

    The batch-norm neck follows Luo et al., "Bag of Tricks and a Strong
    Baseline for Deep Person Re-Identification", 2019: a metric loss takes the
    embedding before it, a classifier and retrieval the one after it.

    Batch norm among a few people turns what they share into noise: five boxes
    of one person come out with a cosine below 0 to each other. A training batch
    of fewer than ``min_people`` people is therefore normalised by the running
    statistics (:func:`running_norm`).

    Args:
        in_channels: Channels of the level's map.
        embed_dims: Size D of the embedding.
        pool: 'avg', 'max' or 'gem'.
        num_stripes: Horizontal stripes pooled apart.
        dropout: Probability of zeroing a pooled value in training.
        min_people: Different people that a batch needs for statistics of its
            own, at least 2. The default is ours: with 8 the mean cosine to
            embeddings under the statistics of everybody is 0.90, with 2 it is
            0.58 (normally distributed features, 256 dimensions).
        person_block: Whether a :class:`PersonBlock` comes before the pooling.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        pool: str = 'avg',
        num_stripes: int = 1,
        dropout: float = 0.0,
        min_people: int = 8,
        person_block: bool = False,
    ) -> None:
        super().__init__()
        self.person_block = PersonBlock(in_channels) if person_block else nn.Identity()
        self.pooling = StripePooling(pool, num_stripes)
        self.dropout = nn.Dropout(dropout)
        projection = nn.Linear(in_channels * num_stripes, embed_dims, bias=False)
        self.projection: nn.Module = projection
        # The guard for small batches lies around it, not in it: SyncBN replaces the module.
        self.bn_neck = nn.BatchNorm1d(embed_dims)
        self.min_people = max(min_people, 2)
        nn.init.kaiming_normal_(projection.weight, mode='fan_out')
        # As in the cited work: no shift, so that the classifier's space is centred.
        self.bn_neck.bias.requires_grad_(False)

    @property
    def averaged_stripes(self) -> int | None:
        """Stripes whose average is all that the level wants of a map; None if it wants more."""
        averages = self.pooling.pool == 'avg' and isinstance(self.person_block, nn.Identity)
        return self.pooling.num_stripes if averages else None

    def forward(self, feats: Tensor, num_people: int | None = None) -> tuple[Tensor, Tensor]:
        """Embed feats.

        Args:
            feats: Shape (N, C, H, W).
            num_people: Different people among them; None for N.

        Returns:
            The embeddings before and after the batch-norm neck, each (N, D);
            the latter float32 or wider.
        """
        projected = self.projection(self.dropout(self.pooling(self.person_block(feats))))
        people = len(projected) if num_people is None else num_people
        with full_precision(projected):
            rows = at_least_float32(projected)
            if not self.bn_neck.training or people >= self.min_people:
                return projected, self.bn_neck(rows)
            rate = (self.bn_neck.momentum or 0.1) * people / self.min_people
            return projected, running_norm(self.bn_neck, rows, rate)
