"""Supervised contrastive loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['SupervisedContrastiveLoss', 'supervised_contrastive_loss']


def supervised_contrastive_loss(
    descriptors: Tensor, person_ids: Tensor, temperature: float = 0.1
) -> Tensor:
    """Make a person's other pictures the likeliest of the batch.

    The outer form of Khosla et al., "Supervised Contrastive Learning",
    NeurIPS 2020: for each anchor, the mean over its positives of the negative
    log-softmax of cosine / temperature over everybody else in the batch.
    People without a second picture are no anchors, but others have to be told
    from them; unlabelled people take no part, since one may be anybody.

    Args:
        descriptors: Shape (N, D), unit vectors.
        person_ids: Shape (N,), -1 = unlabelled.
        temperature: Of the softmax, > 0.

    Returns:
        A scalar, the mean over anchors; 0 with a gradient path if there is none.

    Example:
        >>> import torch
        >>> axes = torch.eye(2)[[0, 0, 1, 1]]
        >>> supervised_contrastive_loss(axes, torch.tensor([0, 0, 1, 1]), temperature=1.0)
        tensor(0.5514)
    """
    units = at_least_float32(descriptors)
    if len(units) == 0:
        return units.sum() * 0
    labelled = person_ids >= 0
    itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
    others = labelled[:, None] & labelled[None, :] & ~itself
    positive = others & (person_ids[:, None] == person_ids[None, :])
    # In half precision a temperature of 0.1 loses a digit of each cosine.
    with full_precision(units):
        cosines = units @ units.T
    # Not -inf: a row without others would be 0/0 in the backward pass, although nobody uses it.
    scores = (cosines / temperature).masked_fill(~others, torch.finfo(units.dtype).min / 4)
    total = scores.log_softmax(dim=1).masked_fill(~positive, 0).sum(dim=1)
    counts = positive.sum(dim=1)
    return -(total / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


@MODELS.register_module()
class SupervisedContrastiveLoss(nn.Module):
    """Module around :func:`supervised_contrastive_loss`.

    Args:
        temperature: Of the softmax, > 0.
        loss_weight: Weight of the term.

    Raises:
        ConfigError: If the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ConfigError(f'temperature must be positive, but got {temperature}')
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, descriptors: Tensor, person_ids: Tensor) -> Tensor:
        """Compute the weighted loss of descriptors (N, D) with ids (N,)."""
        value = supervised_contrastive_loss(descriptors, person_ids, self.temperature)
        return self.loss_weight * value
