"""Swin with SOLIDER's semantic controller, of one weight, folded in."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones.swin import SwinTransformer
from mmengine.model import BaseModule
from torch import nn

from mmclsa.registry import MODELS

__all__ = ['SoliderSwin']


@MODELS.register_module()
class SoliderSwin(SwinTransformer):
    """MMDetection's Swin whose patch merging has a bias.

    Chen et al., "Beyond Appearance: a Semantic Controllable Self-Supervised
    Learning Framework for Human-Centric Visual Tasks", CVPR 2023, scale and
    shift what goes from one stage to the next by amounts that depend on the
    semantic weight alone. At one weight that is a linear layer with a bias in
    the place of the patch merging's, into which
    ``tools/model_converters/solider.py`` folds it.

    Args:
        **kwargs: Of MMDetection's ``SwinTransformer``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for stage in self.stages:
            if stage.downsample is not None:
                plain = stage.downsample.reduction
                stage.downsample.reduction = nn.Linear(plain.in_features, plain.out_features)

    def init_weights(self) -> None:
        """Load weights by our names, with the prefix that ``init_cfg`` says, or draw them."""
        if self.init_cfg:
            # MMDetection's Swin reads files of its own kinds, and no prefix.
            BaseModule.init_weights(self)
        else:
            super().init_weights()
