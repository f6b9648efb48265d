"""End-to-end re-ID on the detector's own backbone features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.structures.bbox import bbox2roi
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.models.reid.base import BaseReID, SceneBatch
from mmclsa.registry import MODELS

__all__ = ['SceneReID', 'scale_gradient']

#: Pixels; farther than any picture reaches.
_FAR = 1e5


def scale_gradient(values: Tensor, share: float) -> Tensor:
    """Return values as they are, with a gradient that is scaled on its way back.

    Args:
        values: Any shape.
        share: Factor of the gradient, in [0, 1].

    Returns:
        The same values, up to rounding.

    Example:
        >>> import torch
        >>> x = torch.ones(1, requires_grad=True)
        >>> (5 * scale_gradient(x, 0.5)).backward()
        >>> x.grad
        tensor([2.5000])
    """
    if share == 1 or not values.requires_grad:
        return values
    return values.detach() + share * (values - values.detach())


@MODELS.register_module()
class SceneReID(BaseReID):
    """Align every box on every level of a pyramid over the shared backbone.

    Unlike a detector's RoI extractor it does not choose one level by box
    size: each level sees each person, so that the lower levels can learn from
    the top one.

    Args:
        neck: Config of a :class:`CLSANeck` over the chosen stages.
        head: Config of a :class:`MultiScaleReIDHead`.
        strides: Stride of each chosen stage, for C3 to C5 ``[8, 16, 32]``.
        in_indices: Which of the backbone's outputs to take, from low to high;
            None for all.
        roi_size: Height and width of an aligned person, in cells. The default
            is ours.
        sampling_ratio: Samples a cell and axis; 0 adapts to the box.
        backbone_grad: Share of the branch's gradient that reaches the
            detector's backbone, in [0, 1]; the branch itself learns from all
            of it. 0 trains the branch on features that detection alone shapes.
        init_cfg: Initialisation config.
    """

    needs_backbone = True

    def __init__(
        self,
        neck: dict[str, Any],
        head: dict[str, Any],
        strides: Sequence[int] = (8, 16, 32),
        in_indices: Sequence[int] | None = None,
        roi_size: tuple[int, int] = (14, 7),
        sampling_ratio: int = 2,
        backbone_grad: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(head, init_cfg=init_cfg)
        if not 0 <= backbone_grad <= 1:
            raise ConfigError(f'backbone_grad must lie in [0, 1], but is {backbone_grad}')
        self.backbone_grad = backbone_grad
        self.neck = MODELS.build(neck)
        self.in_indices = None if in_indices is None else tuple(in_indices)
        self.roi_layers = nn.ModuleList(
            RoIAlign(tuple(roi_size), 1 / stride, sampling_ratio) for stride in strides
        )
        stages = len(strides) if in_indices is None else len(in_indices)
        if not len(strides) == stages == self.head.num_levels:
            raise ConfigError(
                f'strides ({len(strides)}), in_indices ({stages}) and head.num_levels '
                f'({self.head.num_levels}) must name the same number of levels'
            )

    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Align each box on each level; see :meth:`BaseReID.extract`."""
        feats = scenes.backbone_feats
        if feats is None:
            raise ValueError('SceneReID needs backbone_feats, but the scenes carry none')
        if self.in_indices is not None:
            feats = tuple(feats[index] for index in self.in_indices)
        if len(feats) != len(self.roi_layers):
            raise ConfigError(
                f'SceneReID has {len(self.roi_layers)} strides, but the backbone gives '
                f"{len(feats)} maps: set in_indices or the backbone's out_indices"
            )
        # RoIAlign has no half-precision kernel on the CPU, and reads any memory as contiguous.
        feats = tuple(scale_gradient(feat, self.backbone_grad) for feat in feats)
        maps = [at_least_float32(level).contiguous() for level in self.neck(feats)]
        # RoIAlign crashes at boxes that are astronomically far away.
        rois = bbox2roi([b.to(maps[0].dtype).clamp(-_FAR, _FAR) for b in boxes])
        with full_precision(rois):
            return [layer(level, rois) for layer, level in zip(self.roi_layers, maps)]
