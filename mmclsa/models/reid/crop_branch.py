"""What re-ID branches on crops of the original picture have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_number, check_sizes
from mmclsa.models.reid.base import BaseReID, SceneBatch, scale_factors
from mmclsa.models.reid.crops import crop_scenes

__all__ = ['CropBranch']


class CropBranch(BaseReID):
    """Cut people out at original resolution, normalise them, and average mirror images.

    Args:
        head: See :class:`BaseReID`.
        mean: Mean of each channel in 0..255, in the order the network wants.
        std: Standard deviation of each channel, as ``mean``.
        bgr_to_rgb: Turn the picture's BGR into RGB first.
        flip_test: Average embeddings of a crop and its mirror image at test
            time.
        max_crops: Crops that go through the network at once at test time;
            bounds the memory.
        init_cfg: Initialisation config.
    """

    needs_backbone = False
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        head: dict[str, Any] | None,
        mean: Sequence[float],
        std: Sequence[float],
        bgr_to_rgb: bool,
        flip_test: bool,
        max_crops: int,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(head, init_cfg=init_cfg)
        check_sizes(type(self).__name__, max_crops=max_crops)
        for name, values in (('mean', mean), ('std', std)):
            if len(values) != 3:
                raise ConfigError(
                    f'{type(self).__name__}.{name} must be three numbers, but is {values!r}'
                )
        check_number(type(self).__name__, 0, above=True, std=std)
        self.bgr_to_rgb = bgr_to_rgb
        self.flip_test = flip_test
        self.max_crops = max_crops
        for name, values in (('mean', mean), ('std', std)):
            channels = torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    def cut_to(self, scenes: SceneBatch, boxes: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Cut boxes (input pixels) from the original pictures and normalise them.

        Args:
            scenes: The scenes.
            boxes: One (n_i, 4) tensor a scene.
            size: Height and width of a crop.

        Returns:
            Shape (sum of n_i, 3, height, width).

        Raises:
            ConfigError: If a scene does not carry its original picture.
        """
        for sample in scenes.data_samples:
            if 'original_image' not in sample:
                raise ConfigError(
                    f'{type(self).__name__} cuts people from data_sample.original_image, but '
                    f'scene {sample.metainfo.get("img_id")} has none: put KeepOriginalImage '
                    'before Resize in the pipeline'
                )
        pictures = [sample.original_image for sample in scenes.data_samples]
        factors = scale_factors(scenes.data_samples, like=self.mean)
        original = [b / factor for b, factor in zip(boxes, factors)]
        return self.normalize(crop_scenes(pictures, original, size))

    def normalize(self, crops: Tensor) -> Tensor:
        """Normalise BGR crops (n, 3, H, W) in 0..255 for the network."""
        return ((crops.flip(1) if self.bgr_to_rgb else crops) - self.mean) / self.std

    def describe_at(
        self, scenes: SceneBatch, boxes: Sequence[Tensor], size: tuple[int, int]
    ) -> Tensor:
        """Compute descriptors (sum of n_i, D) by crops of a size, a bounded number at a time."""
        crops = self.cut_to(scenes, boxes, size)
        return torch.cat([self.describe_crops(part) for part in crops.split(self.max_crops)])

    def describe_crops(self, crops: Tensor) -> Tensor:
        """Turn normalised crops (n, 3, H, W) into unit vectors (n, D), as flip_test says."""
        descriptors = self.describe_once(crops)
        if self.flip_test:
            descriptors = F.normalize(descriptors + self.describe_once(crops.flip(3)))
        return descriptors

    @abstractmethod
    def describe_once(self, crops: Tensor) -> Tensor:
        """Turn normalised crops (n, 3, H, W) into unit vectors (n, D)."""
