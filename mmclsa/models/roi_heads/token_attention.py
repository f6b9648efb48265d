"""Attention between the cells of a person's map, at one scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.roi_heads.token_exchange import Exchange, exchange_stripe

__all__ = ['ScaleAttention', 'TokenBlock', 'spread_tokens']


def spread_tokens(tokens: Tensor, weight: Tensor, bias: Tensor, kernel: int) -> Tensor:
    """Spread each token over the cells around it, and add up what meets in a cell.

    The linear layer makes a patch of each token, and the patches overlap: it
    is ``F.fold`` of its output, as one transposed convolution, which needs no
    copy of every patch and can be exported.

    Args:
        tokens: Shape (N, D, H, W), a token a cell.
        weight: Of the linear layer, shape (C * kernel^2, D).
        bias: Of the linear layer, shape (C * kernel^2,).
        kernel: Side of a patch, odd.

    Returns:
        Shape (N, C, H, W).

    Example:
        >>> ones = torch.ones(1, 1, 2, 2)
        >>> spread_tokens(ones, torch.ones(9, 1), torch.zeros(9), 3).squeeze().tolist()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    # The bias is what a further token that is 1 everywhere would bring: cells at the border get
    # fewer patches, and so less of it.
    tokens = F.pad(tokens, (0, 0, 0, 0, 0, 1), value=1.0)
    both = torch.cat([weight, bias[:, None]], dim=1)
    kernels = both.view(-1, kernel, kernel, both.shape[1]).permute(3, 0, 1, 2)
    return F.conv_transpose2d(tokens, kernels, padding=kernel // 2)


class TokenBlock(nn.Module):
    """Attention between tokens, and a feed-forward layer of each.

    Args:
        dims: Channels D of a token.
        num_heads: Number of attention heads.
        dropout: Share of values that are dropped in training.
    """

    def __init__(self, dims: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(dims, dims)
        self.key = nn.Linear(dims, dims)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)
        self.attention_norm = nn.LayerNorm(dims)
        self.feed_norm = nn.LayerNorm(dims)
        self.feed = nn.Sequential(
            nn.Linear(dims, 4 * dims),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4 * dims, dims),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Let the tokens (N, L, D) of each person look at each other; (N, L, D)."""
        # Of the first layer the normalised tokens, not the given ones, are carried on.
        tokens = self.attention_norm(tokens)
        tokens = tokens + self.dropout(self.attend(tokens))
        return tokens + self.feed(self.feed_norm(tokens))

    def attend(self, tokens: Tensor) -> Tensor:
        """Mix tokens (N, L, D) by attention."""
        shape = (*tokens.shape[:2], self.num_heads, tokens.shape[2] // self.num_heads)
        query, key, value = (
            layer(tokens).view(shape).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        # Written out: counters of FLOPs do not know PyTorch's fused attention.
        likeness = (query @ key.transpose(-2, -1)) / shape[3] ** 0.5
        mixed = self.dropout(likeness.softmax(dim=-1)) @ value
        return self.output(mixed.transpose(1, 2).flatten(2))


class ScaleAttention(nn.Module):
    """Tokens of one kernel size, the attention between them, and the way back to a map.

    Args:
        channels: Channels C of the map.
        dims: Channels of a token.
        kernel: Side in cells of what a token is made of, odd.
        num_heads: Number of attention heads.
        dropout: Share of values that are dropped in training.

    Raises:
        ConfigError: If the kernel is even, or the heads do not divide a token.
    """

    def __init__(
        self, channels: int, dims: int, kernel: int, num_heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f'kernel_sizes must be odd, but one is {kernel}')
        if dims < 1 or dims % num_heads:
            raise ConfigError(
                f'num_heads must divide the {dims} channels of a token, but is {num_heads}'
            )
        self.kernel = kernel
        self.to_tokens = nn.Conv2d(channels, dims, kernel, padding=kernel // 2)
        self.block = TokenBlock(dims, num_heads, dropout)
        self.to_patches = nn.Linear(dims, channels * kernel**2)

    def forward(self, maps: Tensor, exchange: Exchange | None = None) -> Tensor:
        """Add to maps (N, C, H, W) what their cells tell each other.

        Args:
            maps: Shape (N, C, H, W).
            exchange: Which tokens people exchange before; None for none.

        Returns:
            Shape (N, C, H, W).
        """
        tokens = self.to_tokens(maps)
        if exchange is not None:
            tokens = exchange_stripe(tokens, exchange)
        mixed = self.block(tokens.flatten(2).transpose(1, 2))
        mixed = mixed.transpose(1, 2).reshape(tokens.shape)
        linear = self.to_patches
        return maps + spread_tokens(mixed, linear.weight, linear.bias, self.kernel)
