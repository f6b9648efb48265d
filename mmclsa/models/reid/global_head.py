"""The head of a published re-ID network: one map, one embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.reid.head import MultiScaleReIDHead
from mmclsa.models.reid.level_embedding import LevelEmbedding
from mmclsa.registry import MODELS

__all__ = ['GlobalEmbedding', 'GlobalReIDHead']

_TEST_FEATURES = ('after', 'before')


class GlobalEmbedding(LevelEmbedding):
    """Pool the whole person, project by option, normalise, rectify by option.

    Args:
        in_channels: Channels of the map.
        embed_dims: Size D of the embedding; None for in_channels and no
            projection.
        pool: 'avg', 'max' or 'gem'.
        bias: Whether the projection has a bias and the batch norm a shift that
            is learnt.
        relu: Whether a ReLU comes last.
        min_people: See :class:`LevelEmbedding`.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int | None = None,
        pool: str = 'avg',
        bias: bool = False,
        relu: bool = False,
        min_people: int = 8,
    ) -> None:
        super().__init__(in_channels, embed_dims or in_channels, pool, min_people=min_people)
        if embed_dims is None:
            self.projection = nn.Identity()
        elif bias:
            self.projection = nn.Linear(in_channels, embed_dims)
        self.bn_neck.bias.requires_grad_(bias)
        self.last = nn.ReLU() if relu else nn.Identity()

    def forward(self, feats: Tensor, num_people: int | None = None) -> tuple[Tensor, Tensor]:
        """Embed feats (N, C, H, W); see :class:`LevelEmbedding`."""
        before, after = super().forward(feats, num_people)
        return before, self.last(after)


@MODELS.register_module()
class GlobalReIDHead(MultiScaleReIDHead):
    """Embed people as published re-ID networks do, without a pyramid.

    With the weights of such a network, converted by a tool of
    ``tools/model_converters/``, it gives the embedding that its authors
    measured, of unit length:

    - OSNet: average, ``embed_dims=512, bias=True, relu=True``;
    - BoT: average, the batch-norm neck alone;
    - AGW and SBS: ``pool='gem'``, the batch-norm neck alone;
    - SOLIDER: average, ``test_feature='before'`` the batch-norm neck.

    Args:
        num_identities: Number of labelled training identities; 1 for a network
            that is not trained, which has no classifier.
        in_channels: Channels of the backbone's last map.
        embed_dims: See :class:`GlobalEmbedding`, like the next three.
        pool: 'avg', 'max' or 'gem'.
        bias: Of the projection.
        relu: Whether a ReLU comes last.
        test_feature: The embedding 'after' or 'before' the batch-norm neck.
        bn_min_people: See :class:`LevelEmbedding`.
        **kwargs: ``loss_id``, ``loss_triplet``, ... of
            :class:`MultiScaleReIDHead`.

    Raises:
        ConfigError: If test_feature is unknown.

    Example:
        >>> import torch
        >>> head = GlobalReIDHead(in_channels=8, embed_dims=4, bias=True, relu=True).eval()
        >>> head([torch.rand(2, 8, 5, 3)]).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        num_identities: int = 1,
        in_channels: int = 2048,
        embed_dims: int | None = None,
        pool: str = 'avg',
        bias: bool = False,
        relu: bool = False,
        test_feature: str = 'after',
        bn_min_people: int = 8,
        **kwargs: Any,
    ) -> None:
        if test_feature not in _TEST_FEATURES:
            raise ConfigError(
                f'test_feature must be one of {_TEST_FEATURES}, but is {test_feature!r}'
            )
        size = embed_dims or in_channels
        super().__init__(num_identities, in_channels, num_levels=1, embed_dims=size, **kwargs)
        level = GlobalEmbedding(in_channels, embed_dims, pool, bias, relu, bn_min_people)
        self.levels = nn.ModuleList([level])
        if num_identities == 1:  # random numbers, by which an index would take it for another model
            self.id_losses = nn.ModuleList()
        self.test_feature = test_feature

    def embed_levels(
        self, feats: Sequence[Tensor], num_people: int | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Embed the last map; see :class:`LevelEmbedding`."""
        return super().embed_levels(feats[-1:], num_people)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Turn the last of the maps (N, C, H, W) into unit vectors (N, D)."""
        if self.test_feature == 'after':
            return super().forward(feats)
        ((before, _),) = self.embed_levels(feats)
        return F.normalize(before)
