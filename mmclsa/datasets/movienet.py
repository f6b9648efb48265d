"""MovieNet-PS, from its original layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.readers.movienet import image_folder, movienet_protocols, read_movienet
from mmclsa.datasets.storage import open_path
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['MovieNetPSDataset']


@DATASETS.register_module()
class MovieNetPSDataset(BasePersonSearchDataset):
    """MovieNet-PS: CUHK-SYSU's layout, training in subsets, three gallery sizes.

    Args:
        subset: For training: ``app10``, ``app30``, ``app50``, ``app70`` or
            ``app100``, at most so many appearances of a person.
        protocols: Retrieval tasks, e.g. ``['gallery_2000']``; None for every
            one whose file is there.
        data_root: With ``annotation/`` or ``anno_mvn-cs/``.
        data_prefix: Image folder below ``data_root``; by default ``Image/SSM``
            or ``Image``, whichever is there.
        kwargs: Of :class:`BasePersonSearchDataset`.
    """

    TITLE = 'MovieNet-PS'
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]] = {'train': dict(identities=2087)}

    def __init__(
        self,
        *args: Any,
        subset: str = 'app10',
        protocols: list[str] | None = None,
        data_root: str = '',
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.subset = subset
        self.protocol_names = protocols
        data_prefix = data_prefix or dict(
            img_path=image_folder(open_path(data_root, kwargs.get('backend_args')))
        )
        super().__init__(*args, data_root=data_root, data_prefix=data_prefix, **kwargs)

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of this split."""
        return read_movienet(self.root, self.split, self.subset, self.protocol_names)

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read the gallery sizes."""
        return movienet_protocols(self.root, self.protocol_names)
