"""What every re-ID branch does, wherever its features come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmclsa.registry import MODELS

__all__ = ['BaseReID', 'SceneBatch', 'number_through', 'scale_factors']


@dataclass
class SceneBatch:
    """What a re-ID branch may draw on.

    Attributes:
        backbone_feats: Stage outputs of the detector's backbone, or None if
            the branch does not want them.
        data_samples: One sample a scene.
    """

    backbone_feats: tuple[Tensor, ...] | None
    data_samples: Sequence[DetDataSample]


def scale_factors(data_samples: Sequence[DetDataSample], like: Tensor) -> list[Tensor]:
    """Read each scene's factors from original pixels to input pixels.

    Args:
        data_samples: Samples with ``scale_factor`` (w, h) in their meta data;
            without one the factors are 1.
        like: Tensor that gives the device.

    Returns:
        One float tensor (w, h, w, h) a scene.
    """
    factors = [sample.metainfo.get('scale_factor', (1.0, 1.0)) for sample in data_samples]
    return [torch.tensor([*f, *f], dtype=torch.float32, device=like.device) for f in factors]


class BaseReID(BaseModule, ABC):
    """Turn boxes of scenes into identity losses and embeddings.

    Args:
        head: Config of a :class:`MultiScaleReIDHead`; None for a branch that
            describes people without one.
        init_cfg: Initialisation config.
    """

    #: Whether the branch works on the detector's backbone features.
    needs_backbone: bool
    #: Whether the detector's losses have those of identity in them.
    trained_by_detector: bool = False

    def __init__(self, head: dict[str, Any] | None, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.head: Any = None if head is None else MODELS.build(head)

    def attach(self, detector: nn.Module) -> None:
        """Learn which detector the branch stands beside; most need not know."""

    @abstractmethod
    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Compute the pyramid maps of people.

        Args:
            scenes: The scenes.
            boxes: One (n_i, 4) tensor x1 y1 x2 y2 a scene, in input pixels.

        Returns:
            One map (sum of n_i, C, H, W) a level, from low to high.
        """

    def loss(
        self,
        scenes: SceneBatch,
        boxes: Sequence[Tensor],
        person_ids: Sequence[Tensor],
        owners: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the head's losses.

        Args:
            scenes: The scenes.
            boxes: One (n_i, 4) tensor a scene, in input pixels.
            person_ids: One (n_i,) tensor a scene, -1 = unlabelled.
            owners: One (n_i,) tensor a scene, which of its ground-truth boxes
                each box is a copy of; None where none is a copy.

        Returns:
            Losses by name.
        """
        copies = None if owners is None else number_through(owners)
        return self.head.loss(self.extract(scenes, boxes), torch.cat(list(person_ids)), copies)

    def embed(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Compute the descriptors of people.

        Args:
            scenes: The scenes.
            boxes: One (n_i, 4) tensor a scene, in input pixels.

        Returns:
            One (n_i, D) tensor of unit vectors a scene.
        """
        return list(self.describe(scenes, boxes).split([len(b) for b in boxes]))

    def describe(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> Tensor:
        """Compute the descriptors of all people at once, (sum of n_i, D)."""
        return self.head(self.extract(scenes, boxes))


def number_through(owners: Sequence[Tensor]) -> Tensor:
    """Concatenate the owners of all scenes, so that no two scenes share a number.

    Args:
        owners: One (n_i,) tensor a scene, numbers from 0.

    Returns:
        Shape (sum of n_i,).

    Example:
        >>> import torch
        >>> number_through([torch.tensor([0, 0]), torch.tensor([0])])
        tensor([0, 0, 2])
    """
    # A scene has fewer ground-truth boxes than drawn ones, so these never meet.
    starts = [0, *accumulate(len(scene) for scene in owners)]
    return torch.cat([scene + start for scene, start in zip(owners, starts)])
