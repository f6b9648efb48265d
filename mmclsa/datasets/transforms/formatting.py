"""Packing scenes into MMDetection's data samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData

from mmclsa.datasets.transforms.person_labels import people_of
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
#: What has an entry for each box.
BOX_KEYS = (
    'gt_bboxes',
    'gt_bboxes_labels',
    'gt_ignore_flags',
    'gt_instances_ids',
    'gt_masks',
)


@TRANSFORMS.register_module()
class PackPersonSearchInputs(PackDetInputs):
    """Pack a scene: ``inputs`` and a ``DetDataSample``.

    - ``gt_instances.{bboxes, labels, person_ids}``; ignored boxes lie in
      ``ignored_instances`` under the same names.
    - ``query_instances.{bboxes, query_ids}`` where the item lists queries
      (perhaps none); boxes in original pixels.
    - ``original_image``: uint8 (3, H, W), BGR, after ``KeepOriginalImage``.

    A box that is narrower or lower than ``min_box_size`` goes, with its id: a
    detector's loss is not finite for a box without size, and augmentations
    that clip boxes to the picture leave such boxes behind.

    Args:
        meta_keys: Keys that become metainfo.
        min_box_size: Least width and height of a box, in pixels of the picture
            as it is packed.
    """

    mapping_table: ClassVar[dict[str, str]] = {
        **PackDetInputs.mapping_table,
        'gt_instances_ids': 'person_ids',
    }

    def __init__(self, meta_keys: Sequence[str] = META_KEYS, min_box_size: float = 1.0) -> None:
        if min_box_size <= 0:
            raise ConfigError(
                f'PackPersonSearchInputs.min_box_size must be above 0, not {min_box_size}'
            )
        super().__init__(meta_keys=tuple(meta_keys))
        self.min_box_size = min_box_size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack an item.

        Raises:
            ConfigError: If an earlier transform lost ids or flipped the
                picture after it was kept.
        """
        _check_kept_image(results)
        if 'gt_bboxes' in results:
            results = self._with_ids(results)
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

    def _with_ids(self, results: dict[str, Any]) -> dict[str, Any]:
        """Give a copy with classes and ids apart, without boxes of no size."""
        boxes, labels = results['gt_bboxes'], results.get('gt_bboxes_labels', ())
        where = results.get('img_id')
        if len(boxes) != len(labels):
            raise ConfigError(
                f'{where} has {len(boxes)} boxes but {len(labels)} labels, which carry the person '
                'ids: a transform of the pipeline drops or adds boxes without their labels (Albu '
                'does where bbox_params.label_fields lacks gt_bboxes_labels)'
            )
        classes, ids = people_of(np.asarray(labels))
        if (ids < -1).any():
            raise ConfigError(
                f'{where} has boxes without person ids: load them with LoadPersonAnnotations, and '
                'leave out transforms that make labels of their own'
            )
        results = {**results, 'gt_bboxes_labels': classes, 'gt_instances_ids': ids}
        corners = np.asarray(get_box_tensor(boxes)).reshape(-1, 4)
        sized = ((corners[:, 2:] - corners[:, :2]) >= self.min_box_size).all(axis=1)
        if not sized.all():
            results.update({key: results[key][sized] for key in BOX_KEYS if key in results})
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(meta_keys={self.meta_keys}, min_box_size={self.min_box_size})'
        )


def _check_kept_image(results: dict[str, Any]) -> None:
    if 'original_img' in results and results['original_flip'] != results.get('flip', False):
        raise ConfigError(
            'KeepOriginalImage stands before RandomFlip in the pipeline: place it directly '
            'before Resize'
        )
