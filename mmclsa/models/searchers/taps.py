"""Reading along in a detector's forward pass, without a second one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmclsa.errors import ConfigError

__all__ = ['record_backbone', 'record_proposals']


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
    if not getattr(detector, 'with_roi_head', False):
        raise ConfigError(
            'train_boxes.proposals needs a two-stage detector with a roi_head, but '
            f'{type(detector).__name__} has none: use train_boxes.jitter instead'
        )
    proposals: list[Tensor] = []
    roi_head: Any = detector.roi_head
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
