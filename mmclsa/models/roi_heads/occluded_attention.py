"""COAT's transformer, in the place of res5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_number, check_sizes
from mmclsa.models.roi_heads.token_attention import ScaleAttention
from mmclsa.models.roi_heads.token_exchange import Exchange, draw_exchange, exchange_stripe
from mmclsa.registry import MODELS

__all__ = ['OccludedAttention']


@MODELS.register_module()
class OccludedAttention(BaseModule):
    """Occluded attention between the cells of a person, at several scales.

    From Yu et al., "Cascade Transformers for End-to-End Person Search", CVPR
    2022. The channels of a RoI are shared out among scales, each of which
    makes tokens by a kernel of its own size. In training, tokens of a stripe
    are those of somebody else in the batch, at all scales the same: so people
    are learnt of whom a part is hidden by others.

    Args:
        in_channels: Channels of an aligned RoI.
        embed_dims: Channels within; a token has half of its scale's share.
        out_channels: Channels that are given.
        kernel_sizes: Side in cells of a token of each scale, odd.
        num_heads: Number of attention heads of each scale.
        dropout: Share of values that are dropped in training.
        project_lower: Whether the lower level is a projection of the aligned
            RoI, or the RoI itself.
        stripe: How many rows or columns of cells people exchange in training,
            in the tokens and, another one, in the projected lower level; 0
            for none.
        init_cfg: Initialisation config.

    Raises:
        ConfigError: If channels cannot be shared out, or the stripe is
            negative.

    Example:
        >>> layer = OccludedAttention(8, embed_dims=16, out_channels=12, num_heads=2)
        >>> [level.shape for level in layer.levels(torch.rand(5, 8, 6, 3))]
        [torch.Size([5, 8, 6, 3]), torch.Size([5, 12, 6, 3])]
    """

    def __init__(
        self,
        in_channels: int = 1024,
        embed_dims: int = 512,
        out_channels: int = 2048,
        kernel_sizes: Sequence[int] = (1, 3),
        num_heads: int = 8,
        dropout: float = 0.0,
        project_lower: bool = True,
        stripe: int = 1,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_sizes(
            'OccludedAttention',
            in_channels=in_channels,
            embed_dims=embed_dims,
            out_channels=out_channels,
            num_heads=num_heads,
        )
        check_number('OccludedAttention', 0, 1, dropout=dropout)
        scales = len(kernel_sizes)
        if not scales or embed_dims % (2 * scales):
            raise ConfigError(
                'embed_dims must be a multiple of twice the number of kernel_sizes, but they are '
                f'{embed_dims} and {tuple(kernel_sizes)}'
            )
        if stripe < 0:
            raise ConfigError(f'stripe must be 0 or more, but is {stripe}')
        self.stripe = stripe
        share = embed_dims // scales
        self.lower = nn.Conv2d(in_channels, in_channels, 1, bias=False) if project_lower else None
        self.reduce = nn.Conv2d(in_channels, embed_dims, 1, bias=False)
        self.scales = nn.ModuleList(
            ScaleAttention(share, share // 2, kernel, num_heads, dropout) for kernel in kernel_sizes
        )
        self.expand = nn.Conv2d(embed_dims, out_channels, 1, bias=False)

    def forward(self, aligned: Tensor) -> Tensor:
        """Make the upper level (N, out_channels, H, W) of RoIs (N, in_channels, H, W)."""
        maps = self.reduce(aligned)
        # One draw for all scales: what is hidden at one is hidden at the others.
        exchange = self._draw(maps) if self.occludes else None
        parts = [
            scale(part, exchange)
            for scale, part in zip(self.scales, maps.chunk(len(self.scales), dim=1))
        ]
        return self.expand(maps + torch.cat(parts, dim=1))

    def levels(self, aligned: Tensor) -> list[Tensor]:
        """Make both levels of RoIs (N, in_channels, H, W), the lower one first."""
        lower = aligned
        if self.lower is not None:
            lower = self.lower(aligned)
            if self.occludes:
                lower = exchange_stripe(lower, self._draw(lower))
        return [lower, self(aligned)]

    def _draw(self, maps: Tensor) -> Exchange:
        people, _, height, width = maps.shape
        return draw_exchange(people, height, width, self.stripe)

    @property
    def occludes(self) -> bool:
        """Whether people exchange a stripe now."""
        return self.training and self.stripe > 0
