"""The embeddings of several stages of a cascade, as one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.roi_heads.embedding_head import RoIEmbeddingHead
from mmclsa.registry import MODELS
from mmclsa.utils.config_mistakes import check_arguments
from mmclsa.utils.loss_names import name_of_stage

__all__ = ['CascadeEmbeddingHead']

FEATURES = ('concat', 'stage2', 'stage3')


@MODELS.register_module()
class CascadeEmbeddingHead(BaseModule):
    """An embedding head a stage: the second and the third one of a :class:`COATRoIHead`.

    Each stage has an embedding, a classifier and a memory of its own, alike in
    all that is configured.

    Args:
        num_identities: Number of labelled training identities.
        feature: What people are described by: both stages' unit vectors
            concatenated ('concat'), or one stage's ('stage2', 'stage3').
        init_cfg: Initialisation config.
        options: Of each stage's :class:`RoIEmbeddingHead`.

    Raises:
        ConfigError: If there is no such feature.
    """

    def __init__(
        self,
        num_identities: int,
        feature: str = 'concat',
        init_cfg: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if feature not in FEATURES:
            raise ConfigError(f'feature must be one of {FEATURES}, but is {feature!r}')
        check_arguments(RoIEmbeddingHead, options)
        self.num_identities = num_identities
        self.feature = feature
        self.stages = nn.ModuleList(
            RoIEmbeddingHead(num_identities, **deepcopy(options)) for _ in range(2)
        )

    @property
    def stage_heads(self) -> list[RoIEmbeddingHead]:
        """The head of the second stage, and that of the third one."""
        return [cast(RoIEmbeddingHead, stage) for stage in self.stages]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Describe RoIs: unit vectors (N, D).

        Args:
            feats: The maps of the second stage, from low to high, then those
                of the third one.
        """
        return self.combine([head(own) for head, own in self._by_stage(feats)])

    def combine(self, units: Sequence[Tensor]) -> Tensor:
        """Make one unit vector of the second and the third stage's, each (N, D_k)."""
        chosen = units if self.feature == 'concat' else [units[FEATURES.index(self.feature) - 1]]
        return F.normalize(torch.cat(list(chosen), dim=1))

    def loss(
        self, feats: Sequence[Tensor], person_ids: Tensor, owners: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the losses of people from their maps; see :meth:`RoIEmbeddingHead.loss`.

        Returns:
            Those of each stage, as ``loss_id_s1`` and ``loss_id_s2``.
        """
        return {
            name_of_stage(name, stage): loss
            for stage, (head, own) in enumerate(self._by_stage(feats), start=1)
            for name, loss in head.loss(own, person_ids).items()
        }

    def _by_stage(self, feats: Sequence[Tensor]) -> list[tuple[RoIEmbeddingHead, Sequence[Tensor]]]:
        half = len(feats) // 2
        return list(zip(self.stage_heads, (feats[:half], feats[half:])))
