"""The modules that are exported: parts of a searcher with arrays in and out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from mmcv.ops import RoIAlign, roi_align
from mmdet.models import YOLOXHead
from mmdet.models.detectors.base import BaseDetector
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn
from torch.autograd import Function

from mmclsa.errors import ConfigError
from mmclsa.inference.export.open_sizes import with_any_number
from mmclsa.models import CropReID, MultiScaleReIDHead, PersonSearcher, RoIReID, SceneReID
from mmclsa.models.reid.pooling import StripePooling

__all__ = ['BackboneGraph', 'CropGraph', 'CutGraph', 'RoIGraph', 'RoIHeadGraph', 'YOLOXGraph']

_INT64 = 7  # of onnx.TensorProto


class _RoIAlign(Function):
    """RoIAlign, with a translation of its own into ONNX.

    MMCV's shifts by half a pixel twice from opset 16 on. The shape is that of
    an aligned box: channels, height and width.
    """

    @staticmethod
    def forward(
        ctx: Any,
        feats: Tensor,
        rois: Tensor,
        shape: tuple[int, int, int],
        scale: float,
        samples: int,
        aligned: bool = True,
    ) -> Tensor:
        return roi_align(feats.contiguous(), rois, shape[1:], scale, samples, 'avg', aligned)

    @staticmethod
    def symbolic(
        g: Any,
        feats: Any,
        rois: Any,
        shape: tuple[int, int, int],
        scale: float,
        samples: int,
        aligned: bool = True,
    ) -> Any:
        columns = [g.op('Constant', value_t=torch.tensor(c)) for c in (0, [1, 2, 3, 4])]
        owner = g.op('Gather', rois, columns[0], axis_i=1)
        people = g.op(
            'RoiAlign',
            feats,
            g.op('Gather', rois, columns[1], axis_i=1),
            g.op('Cast', owner, to_i=_INT64),
            coordinate_transformation_mode_s='half_pixel' if aligned else 'output_half_pixel',
            mode_s='avg',
            output_height_i=shape[1],
            output_width_i=shape[2],
            sampling_ratio_i=samples,
            spatial_scale_f=scale,
        )
        return people.setType(feats.type().with_sizes([None, *shape]))


class _StripePooling(nn.Module):
    """Pool stripes of maps whose height is known; ONNX has no adaptive pooling.

    Args:
        pooling: What is to be done.
        height: Of the maps.
    """

    def __init__(self, pooling: StripePooling, height: int) -> None:
        super().__init__()
        count = pooling.num_stripes
        self.rows = [(i * height // count, -(-(i + 1) * height // count)) for i in range(count)]
        self.whole = copy.deepcopy(pooling)
        self.whole.num_stripes = 1

    def forward(self, feats: Tensor) -> Tensor:
        """Pool feats (N, C, H, W) into (N, C * num_stripes)."""
        stripes = [self.whole(feats[:, :, top:bottom]) for top, bottom in self.rows]
        return torch.stack(stripes, dim=2).flatten(1)


def _head_of_known_heights(head: MultiScaleReIDHead, heights: Sequence[int]) -> MultiScaleReIDHead:
    """Copy a head, with pooling that can be exported."""
    head = copy.deepcopy(head)
    levels: Any = head.levels
    for level, height in zip(levels, heights):
        level.pooling = _StripePooling(level.pooling, height)
    return head


class CutGraph(nn.Module):
    """Cut boxes out of a picture, as ``crop_people`` does.

    Args:
        size: Height and width of a crop.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, picture: Tensor, boxes: Tensor) -> Tensor:
        """Cut boxes (n, 4) that lie within picture (H, W, 3), uint8; (n, 3, *size), float32."""
        rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], dim=1)
        return _RoIAlign.apply(
            picture.permute(2, 0, 1)[None].float(), rois, (3, *self.size), 1.0, 0
        )


class CropGraph(nn.Module):
    """Describe crops.

    Args:
        reid: The branch.
    """

    def __init__(self, reid: CropReID) -> None:
        super().__init__()
        self.reid = with_any_number(reid)
        with torch.no_grad():
            maps = reid.pyramid(torch.zeros(1, 3, *reid.crop_size))
        self.head = _head_of_known_heights(reid.head, [level.shape[2] for level in maps])

    def forward(self, crops: Tensor) -> Tensor:
        """Describe BGR crops (n, 3, h, w) in 0..255; unit vectors (n, D)."""
        normalized = self.reid.normalize(crops)
        descriptors = self.head(self.reid.pyramid(normalized))
        if self.reid.flip_test:
            mirrored = self.head(self.reid.pyramid(normalized.flip(3)))
            descriptors = nn.functional.normalize(descriptors + mirrored)
        return descriptors


class RoIGraph(nn.Module):
    """Describe boxes on the features of a backbone.

    Args:
        reid: The branch.
    """

    def __init__(self, reid: SceneReID) -> None:
        super().__init__()
        self.neck = reid.neck
        self.layers = cast(list[RoIAlign], reid.roi_layers)
        heights = [layer.output_size[0] for layer in self.layers]
        self.head = _head_of_known_heights(reid.head, heights)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Describe rois (n, 5), the last input, on stages (B, C_i, H_i, W_i); (n, D)."""
        *stages, rois = inputs
        channels = self.neck.out_channels
        maps = self.neck(tuple(stages))
        aligned = [
            _RoIAlign.apply(
                feats,
                rois,
                (channels, *layer.output_size),
                layer.spatial_scale,
                layer.sampling_ratio,
            )
            for feats, layer in zip(maps, self.layers)
        ]
        return self.head(aligned)


class RoIHeadGraph(nn.Module):
    """Describe boxes on the features of a backbone by the detector's RoI head.

    Args:
        reid: The branch.

    Raises:
        ConfigError: If people are aligned on more than one map.
    """

    def __init__(self, reid: RoIReID) -> None:
        super().__init__()
        stage = reid.detector.roi_head.embedding_stage
        layers = stage.bbox_roi_extractor.roi_layers
        if len(layers) != 1 or reid.detector.with_neck:
            raise ConfigError(
                'RoIReID can be exported on one map of the backbone, without a neck, but the '
                f'RoI extractor has {len(layers)} and the detector '
                f'{"a" if reid.detector.with_neck else "no"} neck'
            )
        self.stage = stage
        self.layer = cast(RoIAlign, layers[0])
        self.channels: int = stage.bbox_roi_extractor.out_channels
        self.head = reid.head

    def forward(self, *inputs: Tensor) -> Tensor:
        """Describe rois (n, 5), the last input, on the stage (B, C, H, W) before it; (n, D)."""
        *stages, rois = inputs
        layer = self.layer
        people = _RoIAlign.apply(
            stages[-1],
            rois,
            (self.channels, *layer.output_size),
            layer.spatial_scale,
            layer.sampling_ratio,
            layer.aligned,
        )
        return self.head(self.stage.levels(people))


class BackboneGraph(nn.Module):
    """Normalise pictures and compute the stages that the re-ID branch takes.

    Args:
        model: The searcher.
    """

    def __init__(self, model: PersonSearcher) -> None:
        super().__init__()
        self.detector: BaseDetector = model.detector
        self.preprocessor: ImgDataPreprocessor = model.data_preprocessor
        self.needs_stages: bool = model.reid.needs_backbone
        self.indices: tuple[int, ...] | None = getattr(model.reid, 'in_indices', None)

    def normalize(self, pictures: Tensor) -> Tensor:
        """Do what the data preprocessor does to BGR pictures (B, 3, H, W) in 0..255."""
        own = self.preprocessor
        pictures = pictures.flip(1) if own._channel_conversion else pictures
        return (pictures - own.mean) / own.std if own._enable_normalize else pictures

    def choose(self, stages: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Choose the stages that the re-ID branch takes; none for crops."""
        if not self.needs_stages:
            return ()
        return stages if self.indices is None else tuple(stages[index] for index in self.indices)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Compute stages of BGR pictures (B, 3, H, W) in 0..255."""
        return self.choose(tuple(self.detector.backbone(self.normalize(pictures))))


class YOLOXGraph(BackboneGraph):
    """YOLOX up to suppression, and the stages that the re-ID branch takes.

    Args:
        model: A searcher with a YOLOX detector.
    """

    def __init__(self, model: PersonSearcher) -> None:
        super().__init__(model)
        self.head: YOLOXHead = model.detector.bbox_head
        self.person_label: int = model.person_label

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Detect people in BGR pictures (B, 3, H, W) in 0..255.

        Returns:
            Boxes (B, P, 4) in input pixels, scores (B, P), 0 where another
            class is likelier, and the stages.
        """
        stages = tuple(self.detector.backbone(self.normalize(pictures)))
        classes, offsets, objectness = self.head(self.detector.neck(stages))
        priors = self.head.prior_generator.grid_priors(
            [level.shape[2:] for level in classes],
            dtype=pictures.dtype,
            device=pictures.device,
            with_stride=True,
        )
        boxes = self.head._bbox_decode(torch.cat(priors), _flatten(offsets))
        best, labels = _flatten(classes).sigmoid().max(dim=2)
        scores = best * _flatten(objectness).sigmoid().squeeze(2)
        people = torch.where(labels == self.person_label, scores, torch.zeros_like(scores))
        return boxes, people, *self.choose(stages)


def _flatten(levels: list[Tensor]) -> Tensor:
    """Turn maps (B, C, H_i, W_i) into one tensor (B, P, C)."""
    return torch.cat([level.permute(0, 2, 3, 1).flatten(1, 2) for level in levels], dim=1)
