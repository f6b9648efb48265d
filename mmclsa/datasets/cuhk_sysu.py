"""CUHK-SYSU, from its original layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['CUHKSYSUDataset']


@DATASETS.register_module()
class CUHKSYSUDataset(BasePersonSearchDataset):
    """CUHK-SYSU (Xiao et al., CVPR 2017): ``Image/SSM`` and ``annotation``.

    Training takes all images outside ``pool.mat``, testing those in it.

    Args:
        protocols: Retrieval tasks, e.g. ``['gallery_100']``; None for every
            one whose file is there.
        kwargs: Of :class:`BasePersonSearchDataset`.
    """

    TITLE = 'CUHK-SYSU'
    IMG_PATH = 'Image/SSM'
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]] = {
        'train': dict(images=11206, boxes=55272, identities=5532),
        'test': {'images': 6978, 'boxes': 40871, 'queries': 2900, 'query identities': 2900},
    }

    SHOWN_TWICE: ClassVar[Mapping[str, Sequence[str]]] = {
        'train': ('s14319', 's1663', 's9239', 's4531', 's10716'),
        'test': ('s14430', 's3981', 's11888', 's888', 's5957', 's12295'),
    }

    def __init__(self, *args: Any, protocols: list[str] | None = None, **kwargs: Any) -> None:
        self.protocol_names = protocols
        super().__init__(*args, **kwargs)

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of this split."""
        self.require_folder('annotation')
        return read_cuhk_sysu(self.root, self.split)

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read the gallery sizes and subsets."""
        return cuhk_sysu_protocols(self.root, self.protocol_names)
