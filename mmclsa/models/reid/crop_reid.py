"""Two-step re-ID: a network of its own on crops of the original picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_size, check_sizes
from mmclsa.models.reid.base import SceneBatch, number_through
from mmclsa.models.reid.crop_branch import CropBranch
from mmclsa.models.reid.crops import blur_by_shrinking
from mmclsa.registry import MODELS
from mmclsa.utils.pretrained import check_part

__all__ = ['CropReID']


@MODELS.register_module()
class CropReID(CropBranch):
    """Cut people out at original resolution and embed them, as in the paper.

    The detector may see a scene at 416 pixels; a person is cut from
    ``data_sample.original_image`` (see the transform ``KeepOriginalImage``)
    and normalised in this branch's own way.

    Args:
        backbone: Config of a backbone that returns one map a level.
        neck: Config of a :class:`CLSANeck` over these maps; None to give them to
            the head as they are.
        head: Config of a :class:`MultiScaleReIDHead`, or of a
            :class:`GlobalReIDHead` for a published network without a pyramid.
        crop_size: Height and width of a crop. The default is ours.
        train_crop_size: Height and width in training; None for the same. A
            network that was trained on smaller crops often does better on
            larger ones, and costs less to train (Touvron et al., "Fixing the
            Train-Test Resolution Discrepancy", NeurIPS 2019).
        mean: Mean of each channel, in the order the backbone wants.
        std: Standard deviation of each channel, as ``mean``.
        bgr_to_rgb: Turn the picture's BGR into RGB first.
        flip_test: Average embeddings of a crop and its mirror image at test
            time.
        test_sizes: Heights and widths of crops whose embeddings are averaged
            at test time, an image pyramid: what CLSA spares. None for
            crop_size alone.
        second_view: In training, show each person a second time, shrunk to
            between this height and the crop's own and enlarged again, who
            follows the first in the alignment; None for no second view. It
            doubles the cost of a training step.
        channels_last: Compute in PyTorch's channels-last memory format; on a
            CPU a MobileNetV2 trains 1.4 to 1.5 times as fast.
        max_crops: Crops that go through the network at once at test time;
            bounds the memory.
        init_cfg: Initialisation config; ``Pretrained`` must give the whole
            branch, but for its classifiers.

    Raises:
        ConfigError: If a size is none.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None,
        head: dict[str, Any],
        crop_size: tuple[int, int] = (256, 128),
        train_crop_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
        flip_test: bool = False,
        test_sizes: Sequence[tuple[int, int]] | None = None,
        second_view: int | None = None,
        channels_last: bool = False,
        max_crops: int = 128,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(head, mean, std, bgr_to_rgb, flip_test, max_crops, init_cfg)
        check_size('CropReID', crop_size=crop_size, train_crop_size=train_crop_size)
        if test_sizes is not None:
            if not test_sizes:
                raise ConfigError('CropReID.test_sizes must name a size, but is empty')
            for size in test_sizes:
                check_size('CropReID', test_sizes=size)
        if second_view is not None:
            check_sizes('CropReID', second_view=second_view)
        self.backbone = MODELS.build(backbone)
        self.neck = nn.Identity() if neck is None else MODELS.build(neck)
        self.crop_size = (crop_size[0], crop_size[1])
        self.train_crop_size = self.crop_size if train_crop_size is None else train_crop_size
        self.test_sizes = [self.crop_size] if test_sizes is None else list(test_sizes)
        self.second_view = second_view
        self.channels_last = channels_last

    def init_weights(self) -> None:
        """Initialise; what starts from a converted file must get all of it.

        Raises:
            ConfigError: If the file lacks a tensor or has another shape:
                MMEngine would leave it as it was drawn.
        """
        for part in (self, self.backbone):
            cfg = part.init_cfg if isinstance(part.init_cfg, dict) else {}
            prefix = cfg.get('prefix') or ''
            # Of the backbone other files may lack what people train anew, such as norms of maps.
            if cfg.get('type') == 'Pretrained' and (part is self or prefix.startswith('reid.')):
                check_part(part.state_dict(), cfg['checkpoint'], prefix)
        super().init_weights()

    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Embed crops of the original pictures; see :meth:`BaseReID.extract`."""
        return self.pyramid(self.cut(scenes, boxes))

    def loss(
        self,
        scenes: SceneBatch,
        boxes: Sequence[Tensor],
        person_ids: Sequence[Tensor],
        owners: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the head's losses, with a second view if there is one; see :class:`BaseReID`."""
        if self.second_view is None:
            return super().loss(scenes, boxes, person_ids, owners)
        crops = self.cut(scenes, boxes)
        both = torch.cat([crops, blur_by_shrinking(crops, self.second_view)])
        rows = torch.arange(len(crops), device=crops.device)
        copies = rows if owners is None else number_through(owners)
        return self.head.loss(
            self.pyramid(both),
            torch.cat(list(person_ids)).repeat(2),
            copies.repeat(2),
            followed=rows.repeat(2),
        )

    def cut(
        self, scenes: SceneBatch, boxes: Sequence[Tensor], size: tuple[int, int] | None = None
    ) -> Tensor:
        """Cut boxes (input pixels) from the original pictures and normalise them.

        Args:
            scenes: The scenes.
            boxes: One (n_i, 4) tensor a scene.
            size: Height and width; None for crop_size, in training
                train_crop_size.

        Returns:
            Shape (sum of n_i, 3, height, width).

        Raises:
            ConfigError: If a scene does not carry its original picture.
        """
        size = size or (self.train_crop_size if self.training else self.crop_size)
        return self.cut_to(scenes, boxes, size)

    def pyramid(self, crops: Tensor) -> list[Tensor]:
        """Compute the pyramid maps of normalised crops (n, 3, H, W)."""
        if self.channels_last:
            crops = crops.contiguous(memory_format=torch.channels_last)
        return list(self.neck(self.backbone(crops)))

    def describe(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> Tensor:
        """Compute the descriptors of all people, a bounded number at a time."""
        descriptors = [self.describe_at(scenes, boxes, size) for size in self.test_sizes]
        if len(descriptors) == 1:
            return descriptors[0]
        return F.normalize(sum(descriptors[1:], start=descriptors[0]))

    def describe_once(self, crops: Tensor) -> Tensor:
        """Turn normalised crops (n, 3, H, W) into unit vectors (n, D)."""
        return self.head(self.pyramid(crops))
