"""PoseTrack21's person search, from its original layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.readers.posetrack21 import posetrack21_protocol, read_posetrack21
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['PoseTrack21Dataset']


@DATASETS.register_module()
class PoseTrack21Dataset(BasePersonSearchDataset):
    """PoseTrack21 (Döring et al., CVPR 2022), its person-search annotations.

    Training takes ``train.json``, testing ``val.json`` with the queries of
    ``query.json``. Image names in the files are relative to ``data_root``.
    Arguments are those of :class:`BasePersonSearchDataset`.
    """

    TITLE = 'PoseTrack21 person search'
    SIZES_FROM_TEXT = True
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]] = {'train': dict(images=42861)}

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of this split."""
        return read_posetrack21(self.root, self.split)

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read the one task."""
        return [posetrack21_protocol(self.root, scenes)]
