"""Pooling a person's feature map into one vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.precision import at_least_float32

__all__ = ['POOL_NAMES', 'StripePooling', 'generalized_mean']

POOL_NAMES = ('avg', 'max', 'gem')


def generalized_mean(feats: Tensor, power: Tensor, num_stripes: int = 1) -> Tensor:
    """Pool by the generalised mean ``mean(x^p)^(1/p)`` of each stripe.

    From Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No
    Human Annotation", 2018. Negative values count as 0.

    Args:
        feats: Shape (N, C, H, W).
        power: The exponent p, shape (), >= 1.
        num_stripes: Horizontal stripes that are pooled apart.

    Returns:
        Shape (N, C, num_stripes, 1).

    Example:
        >>> import torch
        >>> generalized_mean(torch.full((1, 2, 4, 4), 3.0), torch.tensor(3.0)).flatten()
        tensor([3., 3.])
    """
    raised = at_least_float32(feats).clamp(min=1e-6) ** power
    return F.adaptive_avg_pool2d(raised, (num_stripes, 1)) ** (1 / power)


class StripePooling(nn.Module):
    """Pool each horizontal stripe of a person and concatenate the stripes.

    Args:
        pool: 'avg', 'max', or 'gem' (generalised mean, its exponent learnt
            from 3).
        num_stripes: Number of stripes, >= 1; 1 pools the whole person.

    Raises:
        ConfigError: If the pooling is unknown or there is no stripe.

    Example:
        >>> import torch
        >>> StripePooling('avg', num_stripes=2)(torch.rand(5, 8, 6, 3)).shape
        torch.Size([5, 16])
    """

    def __init__(self, pool: str = 'avg', num_stripes: int = 1) -> None:
        super().__init__()
        if pool not in POOL_NAMES:
            raise ConfigError(f'pool must be one of {POOL_NAMES}, but got {pool!r}')
        if num_stripes < 1:
            raise ConfigError(f'num_stripes must be at least 1, but got {num_stripes}')
        self.pool = pool
        self.num_stripes = num_stripes
        if pool == 'gem':
            self.power = nn.Parameter(torch.tensor(3.0))

    def forward(self, feats: Tensor) -> Tensor:
        """Pool feats (N, C, H, W) into (N, C * num_stripes)."""
        shape = (self.num_stripes, 1)
        if self.pool == 'gem':
            pooled = generalized_mean(feats, self.power, self.num_stripes)
        elif self.pool == 'max':
            pooled = F.adaptive_max_pool2d(feats, shape)
        else:
            pooled = F.adaptive_avg_pool2d(feats, shape)
        return pooled.flatten(1)
