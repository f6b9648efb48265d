"""Weights that nobody trained, in the layout of published ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

__all__ = ['make_resnet50_weights']

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # channels and blocks
_EXPANSION = 4


def make_resnet50_weights(path: str | Path, seed: int = 0) -> Path:
    """Write a random ResNet-50 with torchvision's names.

    Convolutions are drawn as He et al. do, so that features keep their size
    through the network.

    Args:
        path: File to write, 102 MB.
        seed: Of the values.

    Returns:
        ``path``.
    """
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def convolution(name: str, out_channels: int, in_channels: int, size: int) -> None:
        shape = (out_channels, in_channels, size, size)
        scale = (2 / (in_channels * size * size)) ** 0.5
        state[f'{name}.weight'] = torch.randn(shape, generator=generator) * scale

    def norm(name: str, channels: int) -> None:
        state[f'{name}.weight'] = state[f'{name}.running_var'] = torch.ones(channels)
        state[f'{name}.bias'] = state[f'{name}.running_mean'] = torch.zeros(channels)

    convolution('conv1', 64, 3, 7)
    norm('bn1', 64)
    before = 64
    for stage, (channels, blocks) in enumerate(_STAGES, 1):
        for block in range(blocks):
            name = f'layer{stage}.{block}'
            after = _EXPANSION * channels
            sizes = ((channels, before, 1), (channels, channels, 3), (after, channels, 1))
            for number, shape in enumerate(sizes, 1):
                convolution(f'{name}.conv{number}', *shape)
                norm(f'{name}.bn{number}', shape[0])
            if block == 0:
                convolution(f'{name}.downsample.0', after, before, 1)
                norm(f'{name}.downsample.1', after)
            before = after
    state['fc.weight'] = torch.randn((1000, before), generator=generator) * 0.01
    state['fc.bias'] = torch.zeros(1000)
    torch.save(state, path)
    return Path(path)
