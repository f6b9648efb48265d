"""Two-step re-ID: a network of its own on crops of the original picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.reid.base import BaseReID, SceneBatch, scale_factors
from mmclsa.models.reid.crops import crop_scenes
from mmclsa.registry import MODELS

__all__ = ['CropReID']


@MODELS.register_module()
class CropReID(BaseReID):
    """Cut people out at original resolution and embed them, as in the paper.

    The detector may see a scene at 416 pixels; a person is cut from
    ``data_sample.original_image`` (see the transform ``KeepOriginalImage``)
    and normalised in this branch's own way.

    Args:
        backbone: Config of a backbone that returns one map a level.
        neck: Config of a :class:`CLSANeck` over these maps.
        head: Config of a :class:`MultiScaleReIDHead`.
        crop_size: Height and width of a crop. The default is ours.
        train_crop_size: Height and width in training; None for the same. A
            network that was trained on smaller crops often does better on
            larger ones, and costs less to train (Touvron et al., "Fixing the
            Train-Test Resolution Discrepancy", NeurIPS 2019).
        mean: Mean of each channel, in the order the backbone wants.
        std: Standard deviation of each channel, likewise.
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
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        crop_size: tuple[int, int] = (256, 128),
        train_crop_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
        flip_test: bool = False,
        max_crops: int = 128,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(head, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.crop_size = (crop_size[0], crop_size[1])
        self.train_crop_size = self.crop_size if train_crop_size is None else train_crop_size
        self.bgr_to_rgb = bgr_to_rgb
        self.flip_test = flip_test
        self.max_crops = max_crops
        self.register_buffer('mean', torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Embed crops of the original pictures; see :meth:`BaseReID.extract`."""
        return self.pyramid(self.cut(scenes, boxes))

    def cut(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> Tensor:
        """Cut boxes (input pixels) from the original pictures and normalise them.

        Returns:
            Shape (sum of n_i, 3, height, width) of crop_size, in training of
            train_crop_size.

        Raises:
            ConfigError: If a scene does not carry its original picture.
        """
        for sample in scenes.data_samples:
            if 'original_image' not in sample:
                raise ConfigError(
                    'CropReID cuts people from data_sample.original_image, but scene '
                    f'{sample.metainfo.get("img_id")} has none: put KeepOriginalImage before '
                    'Resize in the pipeline'
                )
        pictures = [sample.original_image for sample in scenes.data_samples]
        factors = scale_factors(scenes.data_samples, like=self.mean)
        original = [b / factor for b, factor in zip(boxes, factors)]
        size = self.train_crop_size if self.training else self.crop_size
        return self.normalize(crop_scenes(pictures, original, size))

    def normalize(self, crops: Tensor) -> Tensor:
        """Normalise BGR crops (n, 3, H, W) in 0..255 for the backbone."""
        return ((crops.flip(1) if self.bgr_to_rgb else crops) - self.mean) / self.std

    def pyramid(self, crops: Tensor) -> list[Tensor]:
        """Compute the pyramid maps of normalised crops (n, 3, H, W)."""
        return list(self.neck(self.backbone(crops)))

    def describe(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> Tensor:
        """Compute the descriptors of all people, a bounded number at a time."""
        crops = self.cut(scenes, boxes)
        return torch.cat([self.describe_crops(part) for part in crops.split(self.max_crops)])

    def describe_crops(self, crops: Tensor) -> Tensor:
        """Turn normalised crops (n, 3, H, W) into unit vectors (n, D)."""
        descriptors = self.head(self.pyramid(crops))
        if self.flip_test:
            descriptors = descriptors + self.head(self.pyramid(crops.flip(3)))
            descriptors = torch.nn.functional.normalize(descriptors)
        return descriptors
