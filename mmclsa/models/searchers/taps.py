"""Reading along in a detector's forward pass, without a second one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmclsa.errors import ConfigError

__all__ = ['record_backbone', 'record_proposals', 'record_refined']


@contextmanager
def record_backbone(detector: nn.Module) -> Iterator[list[tuple[Tensor, ...]]]:
    """Keep what the detector's backbone returns while the context is open.

    Args:
        detector: A module with a ``backbone``.

    Yields:
        A list that grows by one tuple of stage outputs a backbone pass.
    """
    outputs: list[tuple[Tensor, ...]] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        outputs.append(tuple(output) if isinstance(output, Sequence) else (output,))

    handle = detector.get_submodule('backbone').register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def _roi_head(detector: nn.Module) -> Any:
    if not getattr(detector, 'with_roi_head', False):
        raise ConfigError(
            'train_boxes.proposals needs a two-stage detector with a roi_head, but '
            f'{type(detector).__name__} has none: use train_boxes.jitter instead'
        )
    return detector.roi_head


@contextmanager
def record_proposals(detector: nn.Module) -> Iterator[list[Tensor]]:
    """Keep the proposals that a two-stage detector's RoI head is trained on.

    ``roi_head.loss`` is not a forward pass, so a hook cannot see it; its
    bound method is replaced on this instance while the context is open.

    Args:
        detector: A two-stage detector.

    Yields:
        A list that is filled with one (n_i, 4) tensor a scene, in input
        pixels.

    Raises:
        ConfigError: If the detector has no RoI head.
    """
    proposals: list[Tensor] = []
    roi_head = _roi_head(detector)
    original = roi_head.loss

    def loss(
        feats: Any, results: list[InstanceData], samples: list[DetDataSample], *args: Any
    ) -> dict[str, Tensor]:
        # Cloned, because the RoI head appends ground truth to the results it is given.
        proposals.extend(result.bboxes.detach().clone() for result in results)
        return original(feats, results, samples, *args)

    roi_head.loss = loss
    try:
        yield proposals
    finally:
        del roi_head.loss


@contextmanager
def record_refined(
    detector: nn.Module, num_scenes: int, person_label: int = 0
) -> Iterator[list[Tensor]]:
    """Keep the boxes that a RoI head makes of the proposals it is trained on.

    They are what the detector will give at test time, unlike the proposals,
    and cost nothing: the RoI head predicts them for its own loss. Of a
    cascade the last stage counts. As in :func:`record_proposals` a bound
    method is replaced while the context is open.

    Args:
        detector: A two-stage detector.
        num_scenes: Scenes in the batch.
        person_label: The class whose box is taken where each has its own.

    Yields:
        A list that is filled with one (n_i, 4) tensor a scene, in input
        pixels.

    Raises:
        ConfigError: If the detector has no RoI head.
    """
    refined: list[Tensor] = []
    roi_head = _roi_head(detector)
    original = roi_head._bbox_forward

    def forward(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
        results = original(*args, **kwargs)
        rois = kwargs['rois'] if 'rois' in kwargs else args[-1]
        heads = roi_head.bbox_head
        head = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        boxes = _refine(head, rois, results['bbox_pred'].detach(), person_label)
        refined[:] = [boxes[rois[:, 0] == scene] for scene in range(num_scenes)]
        return results

    roi_head._bbox_forward = forward
    try:
        yield refined
    finally:
        del roi_head._bbox_forward


@torch.no_grad()
def _refine(head: Any, rois: Tensor, deltas: Tensor, person_label: int) -> Tensor:
    """Move RoIs (n, 5) by the deltas that a box head predicts for a class, to (n, 4)."""
    if not head.reg_class_agnostic:
        deltas = deltas.reshape(len(rois), -1, 4)[:, person_label]
    return head.bbox_coder.decode(rois[:, 1:], deltas)
