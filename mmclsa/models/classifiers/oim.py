"""Online instance matching: classification against a memory of identities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mmclsa.models.checks import check_number
from mmclsa.models.classifiers.base import IdentityClassifier
from mmclsa.models.memory import IdentityMemory
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['OIMLoss', 'oim_logits']


def oim_logits(embeddings: Tensor, prototypes: Tensor, scale: float = 30.0) -> Tensor:
    """Compare embeddings with remembered ones.

    Args:
        embeddings: Shape (N, D), any length; they are L2-normalised here.
        prototypes: Shape (M, D), unit vectors, or zeros where nothing is
            remembered yet.
        scale: Inverse temperature of the softmax.

    Returns:
        Scaled cosines, shape (N, M), float32 or wider.

    Example:
        >>> import torch
        >>> oim_logits(torch.tensor([[3.0, 0.0]]), torch.eye(2), scale=10.0)
        tensor([[10.,  0.]])
    """
    with full_precision(embeddings):
        embeddings = at_least_float32(embeddings)
        return scale * F.normalize(embeddings) @ prototypes.to(embeddings.dtype).T


@MODELS.register_module()
class OIMLoss(IdentityClassifier):
    """Online instance matching loss (Xiao et al., CVPR 2017).

    A softmax over a look-up table of labelled identities and a circular queue
    of unlabelled people. The memory has no gradient; :meth:`update` is called
    explicitly after the loss, never inside the backward pass.

    Args:
        embed_dims: Size D of an embedding.
        num_identities: Number C of labelled identities (rows of the table).
        queue_size: Number of unlabelled people kept; 0 for none.
        scale: Inverse temperature; 30 is the value of the OIM paper's code.
        momentum: Share of the old row that an update of the table keeps.
        label_smoothing: Share of probability spread over table and queue.
        loss_weight: Weight ``w_id``.
    """

    has_memory = True

    def __init__(
        self,
        embed_dims: int,
        num_identities: int,
        queue_size: int = 0,
        scale: float = 30.0,
        momentum: float = 0.5,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(embed_dims, num_identities, loss_weight, label_smoothing)
        check_number('OIMLoss', 0, above=True, scale=scale)
        self.scale = scale
        self.memory = IdentityMemory(num_identities, queue_size, embed_dims, momentum)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Compare embeddings (N, D) with the memory, shape (N, C + queue_size)."""
        return oim_logits(embeddings, self.memory.prototypes(), self.scale)

    def update(self, embeddings: Tensor, person_ids: Tensor) -> None:
        """Take people into the memory; see :meth:`IdentityMemory.update`."""
        self.memory.update(embeddings, person_ids)
