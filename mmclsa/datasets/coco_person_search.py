"""Any data set as COCO JSON with person ids, and a protocol JSON."""

from __future__ import annotations

from typing import Any

from mmclsa.datasets.base_person_search import BasePersonSearchDataset, require
from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.storage import open_path
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['CocoPersonSearchDataset']


@DATASETS.register_module()
class CocoPersonSearchDataset(BasePersonSearchDataset):
    """COCO annotations with a ``person_id`` each, and retrieval tasks beside them.

    Args:
        ann_file: The COCO JSON, below ``data_root``.
        protocol_files: Protocol JSONs, below ``data_root``; only read in test
            mode. They must list the same queries in the same order.
        data_prefix: Image folder below ``data_root``.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: If protocols have different queries.
    """

    TITLE = 'The COCO person-search data set'

    def __init__(
        self,
        ann_file: str,
        protocol_files: str | list[str] | None = None,
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        files = [protocol_files] if isinstance(protocol_files, str) else protocol_files
        self.protocol_files = list(files or [])
        data_prefix = data_prefix or dict(img_path='')
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of ``ann_file``."""
        return read_coco(require(open_path(self.ann_file, self.backend_args), self.TITLE))

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read ``protocol_files``."""
        paths = [self.root / file for file in self.protocol_files]
        protocols = [coco_protocol(require(path, self.TITLE), scenes) for path in paths]
        for file, protocol in zip(self.protocol_files, protocols):
            if list(protocol.query_ids) != list(protocols[0].query_ids):
                raise ConfigError(
                    f'protocol {file} lists other queries than {self.protocol_files[0]}: the '
                    'protocols of one data set need the same queries in the same order'
                )
        return protocols
