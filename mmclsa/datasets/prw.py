"""PRW, from its original layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.readers.prw import prw_protocols, read_prw
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['PRWDataset']


@DATASETS.register_module()
class PRWDataset(BasePersonSearchDataset):
    """PRW-v16.04.20 (Zheng et al., CVPR 2017): ``frames`` and ``annotations``.

    All 483 training identities are used, 483 and 932 too. Testing has the
    protocols ``regular`` and ``multi_view`` (matches from another camera).
    Arguments are those of :class:`BasePersonSearchDataset`.
    """

    TITLE = 'PRW'
    IMG_PATH = 'frames'
    # The number of test boxes is quoted differently everywhere, so it is not here.
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]] = {
        'train': dict(images=5704, boxes=18048, identities=483),
        'test': {'images': 6112, 'queries': 2057, 'query identities': 450},
    }

    SHOWN_TWICE: ClassVar[Mapping[str, Sequence[str]]] = {
        'train': (
            *('c1s1_019476', 'c3s1_096067', 'c1s2_024091', 'c2s1_095446', 'c2s1_091696'),
            *('c1s1_047526', 'c1s1_005401', 'c3s1_069842', 'c1s2_019916', 'c6s1_000476'),
        ),
        'test': (),
    }

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of this split."""
        self.require_folder('annotations')
        return read_prw(self.root, self.split)

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read the task, for both camera rules."""
        return prw_protocols(self.root)
