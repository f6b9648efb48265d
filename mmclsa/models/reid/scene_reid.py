"""End-to-end re-ID on the detector's own backbone features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.structures.bbox import bbox2roi
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_size, check_sizes
from mmclsa.models.necks import CLSANeck
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.models.reid.base import BaseReID, SceneBatch
from mmclsa.models.reid.boxes import boxes_for_alignment
from mmclsa.models.reid.region_average import (
    average_convolved_regions,
    average_regions,
    is_plain_convolution,
)
from mmclsa.models.reid.strides import check_strides
from mmclsa.registry import MODELS

__all__ = ['SceneReID', 'scale_gradient']


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

    Where the head averages the aligned map and nothing else comes before,
    alignment and average are matrix products on the whole map, and the neck's
    3 x 3 convolutions are applied to the averages: the same numbers, at a
    fraction of the cost (docs/training.md).

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

    Raises:
        ConfigError: If ``backbone_grad`` lies outside of [0, 1], or strides,
            indices and the head differ in their number of levels.
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
        check_sizes('SceneReID', strides=strides)
        check_sizes('SceneReID', -1, sampling_ratio=sampling_ratio)
        check_size('SceneReID', roi_size=roi_size)
        self.backbone_grad = backbone_grad
        self.neck = MODELS.build(neck)
        self.strides = tuple(strides)
        self.in_indices = None if in_indices is None else tuple(in_indices)
        self.roi_size = (roi_size[0], roi_size[1])
        self.sampling_ratio = sampling_ratio
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
        """Align each box on each level; see :meth:`BaseReID.extract`.

        Where the head only averages, the maps come averaged, one cell a stripe.

        Raises:
            ConfigError: If the backbone's maps are not those that ``strides``
                and ``in_indices`` describe.
        """
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
        self._check_strides(scenes, feats)
        feats = tuple(scale_gradient(feat, self.backbone_grad) for feat in feats)
        near = boxes_for_alignment(boxes, feats[0])
        stripes = self.head.averaged_stripes
        if stripes and self.sampling_ratio > 0 and self.roi_size[0] % stripes == 0:
            return self._average(feats, near, stripes)
        # RoIAlign has no half-precision kernel on the CPU, and reads any memory as contiguous.
        maps = [at_least_float32(level).contiguous() for level in self.neck(feats)]
        rois = bbox2roi(near)
        with full_precision(rois):
            return [layer(level, rois) for layer, level in zip(self.roi_layers, maps)]

    def _average(
        self, feats: Sequence[Tensor], boxes: Sequence[Tensor], stripes: int
    ) -> list[Tensor]:
        """Align and average at once: maps (N, C, stripes, 1) that the head need not pool."""
        rows, columns = (side * self.sampling_ratio for side in self.roi_size)
        shape = ((rows, columns), stripes)
        convs = self.neck.fpn_convs if self._ends_in_plain_convolutions() else None
        maps = self.neck(tuple(feats)) if convs is None else self.neck.merge(feats)
        averages = []
        for index, (level, stride) in enumerate(zip(maps, self.strides)):
            with full_precision(level):
                level = at_least_float32(level)
                if convs is None:
                    pooled = average_regions(level, boxes, 1 / stride, *shape)[..., 0, 0]
                else:
                    conv = convs[index].conv
                    pooled = average_convolved_regions(level, boxes, 1 / stride, *shape, conv)
            averages.append(pooled[..., None])
        return averages

    def _ends_in_plain_convolutions(self) -> bool:
        """Whether people can be averaged before the neck's last convolutions."""
        neck = self.neck
        return (
            type(neck) is CLSANeck
            and 'scale_factor' not in neck.upsample_cfg
            and all(is_plain_convolution(conv) for conv in neck.fpn_convs)
        )

    def _check_strides(self, scenes: SceneBatch, feats: Sequence[Tensor]) -> None:
        """Compare strides with maps; sizes are Python numbers, so this costs nothing."""
        sample = next(iter(scenes.data_samples), None)
        size = sample.metainfo.get('batch_input_shape') if sample is not None else None
        if size is not None:
            sizes = [(feat.shape[2], feat.shape[3]) for feat in feats]
            check_strides(self.strides, (size[0], size[1]), sizes)
