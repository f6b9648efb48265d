"""Packing scenes into MMDetection's data samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmengine.structures import InstanceData

from mmclsa.errors import ConfigError
from mmclsa.registry import TRANSFORMS

__all__ = ['PackPersonSearchInputs']

META_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'cam_id',
)


@TRANSFORMS.register_module()
class PackPersonSearchInputs(PackDetInputs):
    """Pack a scene: ``inputs`` and a ``DetDataSample``.

    - ``gt_instances.{bboxes, labels, person_ids}``; ignored boxes lie in
      ``ignored_instances`` under the same names.
    - ``query_instances.{bboxes, query_ids}`` where the item lists queries
      (perhaps none); boxes in original pixels.
    - ``original_image``: uint8 (3, H, W), BGR, after ``KeepOriginalImage``.

    Args:
        meta_keys: Keys that become metainfo.
    """

    mapping_table: ClassVar[dict[str, str]] = {
        **PackDetInputs.mapping_table,
        'gt_instances_ids': 'person_ids',
    }

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack an item.

        Raises:
            ConfigError: If an earlier transform lost ids or flipped the
                picture after it was kept.
        """
        self._check(results)
        packed = super().transform(results)
        sample = packed['data_samples']
        if 'query_bboxes' in results:
            sample.query_instances = InstanceData(
                bboxes=torch.from_numpy(results['query_bboxes']),
                query_ids=torch.from_numpy(results['query_ids']),
            )
        if 'original_img' in results:
            picture = np.ascontiguousarray(results['original_img'].transpose(2, 0, 1))
            sample.original_image = torch.from_numpy(picture.astype(np.uint8, copy=False))
        return packed

    def _check(self, results: dict[str, Any]) -> None:
        boxes, ids = results.get('gt_bboxes'), results.get('gt_instances_ids')
        if boxes is not None and ids is not None and len(boxes) != len(ids):
            raise ConfigError(
                f'{results.get("img_id")} has {len(boxes)} boxes but {len(ids)} person ids: a '
                'transform of the pipeline drops boxes and does not know person ids '
                '(mmdet.RandomCrop does)'
            )
        if 'original_img' in results and results['original_flip'] != results.get('flip', False):
            raise ConfigError(
                'KeepOriginalImage stands before RandomFlip in the pipeline: place it directly '
                'before Resize'
            )
