"""Anybody's re-ID network, from an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_size
from mmclsa.models.reid.base import SceneBatch
from mmclsa.models.reid.crop_branch import CropBranch
from mmclsa.models.reid.onnx_network import OnnxNetwork
from mmclsa.registry import MODELS

__all__ = ['OnnxReID']


@MODELS.register_module()
class OnnxReID(CropBranch):
    """Describe people with a trained re-ID network in an ONNX file; nothing is trained.

    People are cut from the original picture as in :class:`CropReID`. The
    graph has one input (n, 3, height, width), floating point, and gives
    (n, D) or (n, D, 1, 1) of any length. A fixed n, height and width are
    adhered to. It is loaded when it is first used; the state_dict has
    nothing of it.

    Args:
        file: The ONNX file. One must be named before anybody is described.
        crop_size: Height and width of a crop; None for what the graph fixes,
            or 256 x 128 if it takes any size.
        mean: Mean of each channel in 0..255, in the order the network wants.
        std: Standard deviation of each channel, as ``mean``.
        bgr_to_rgb: Whether the network wants RGB; else it gets BGR.
        flip_test: Average embeddings of a crop and its mirror image.
        output: Name of the graph's output to take, or its number from 0; None
            for the only one.
        max_crops: Crops that go through the network at once; bounds the
            memory.
        threads: Threads of an operator; None for as many as PyTorch uses.
        providers: Execution providers of ONNX Runtime, the preferred first;
            None for the CPU.
        init_cfg: Initialisation config.
    """

    def __init__(
        self,
        file: str | Path | None = None,
        crop_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
        flip_test: bool = False,
        output: str | int | None = None,
        max_crops: int = 64,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(None, mean, std, bgr_to_rgb, flip_test, max_crops, init_cfg)
        check_size('OnnxReID', crop_size=crop_size)
        self.crop_size = None if crop_size is None else (crop_size[0], crop_size[1])
        count = torch.get_num_threads() if threads is None else threads
        self.network = OnnxNetwork(file or '', output, count, providers)
        self._dims = 0

    def init_weights(self) -> None:
        """Load the graph, so that what is wrong with it is said before the work begins."""
        super().init_weights()
        self.settled_size()

    def settled_size(self) -> tuple[int, int]:
        """Height and width of a crop; see :meth:`OnnxNetwork.crop_size`."""
        return self.network.crop_size(self.crop_size)

    def file_digest(self) -> str:
        """SHA-256 of the network's weights, which no state_dict has."""
        return self.network.digest()

    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> NoReturn:
        """Refuse: a foreign network has no levels.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError('OnnxReID has no pyramid levels: an ONNX file gives embeddings alone')

    def loss(
        self,
        scenes: SceneBatch,
        boxes: Sequence[Tensor],
        person_ids: Sequence[Tensor],
        owners: Sequence[Tensor] | None = None,
    ) -> NoReturn:
        """Refuse: what is in an ONNX file is not trained.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f'OnnxReID cannot be trained, as the weights in an ONNX file ({self.network.file}) '
            'are fixed: test with it, or train CropReID'
        )

    def describe(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> Tensor:
        """Compute the descriptors of all people; see :class:`BaseReID`."""
        return self.describe_at(scenes, boxes, self.settled_size())

    def describe_once(self, crops: Tensor) -> Tensor:
        """Turn normalised crops (n, 3, H, W) into unit vectors (n, D)."""
        if not len(crops):
            return crops.new_zeros((0, self._length(crops)))
        vectors = self.network(crops.float().cpu().numpy())
        self._dims = vectors.shape[1]
        return F.normalize(torch.from_numpy(vectors).to(crops.device))

    def _length(self, crops: Tensor) -> int:
        """Tell how long an embedding is, where nobody is to be described."""
        if not self._dims:
            nobody = crops.new_zeros((1, *crops.shape[1:]))
            self._dims = self.network(nobody.cpu().numpy()).shape[1]
        return self._dims
