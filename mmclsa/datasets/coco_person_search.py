"""Any data set as COCO JSON with person ids, and a protocol JSON."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mmclsa.datasets.base_person_search import BasePersonSearchDataset, require
from mmclsa.datasets.file_names import find_files
from mmclsa.datasets.readers.coco import coco_protocol, read_coco_file, tell_left_out
from mmclsa.datasets.readers.coco_ids import Identity
from mmclsa.datasets.storage import is_remote, join, open_path
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol
from mmclsa.utils.text import counted

__all__ = ['CocoPersonSearchDataset']


@DATASETS.register_module()
class CocoPersonSearchDataset(BasePersonSearchDataset):
    """COCO annotations with a ``person_id`` each, and retrieval tasks beside them.

    Boxes of other categories, smaller than a pixel or beyond their picture
    are left out; ``left_out`` counts them.

    Args:
        ann_file: The COCO JSON, below ``data_root``.
        protocol_files: Protocol JSONs, below ``data_root``; only read in test
            mode. They must list the same queries in the same order.
        data_prefix: Image folder below ``data_root``.
        person_categories: Names or ids of the categories that are people;
            None for those called person, people, pedestrian, human, man, ...
        person_id_field: The field that holds people's ids, such as
            ``attributes.player``; None for ``person_id`` and what other
            tools call it.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: If protocols have different queries.
    """

    TITLE = 'The COCO person-search data set'
    SIZES_FROM_TEXT = True

    def __init__(
        self,
        ann_file: str,
        protocol_files: str | list[str] | None = None,
        data_prefix: dict[str, str] | None = None,
        person_categories: str | int | Sequence[str | int] | None = None,
        person_id_field: str | None = None,
        **kwargs: Any,
    ) -> None:
        files = [protocol_files] if isinstance(protocol_files, str) else protocol_files
        self.protocol_files = list(files or [])
        self.person_categories = person_categories
        self.person_id_field = person_id_field
        self._files: dict[str, str] = {}
        self._people: Mapping[Identity, int] = {}
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def load_scenes(self) -> list[Scene]:
        """Read the scenes of ``ann_file``."""
        path = require(open_path(self.ann_file, self.backend_args), self.TITLE)
        content = read_coco_file(path, self.person_categories, self.person_id_field)
        self._people = content.people
        self.left_out = content.left_out
        self.identity_note = content.note or ''
        for sentence in (content.note, tell_left_out(content.left_out)):
            if sentence:
                print_log(f'{path}: {sentence}', logger='current', level=logging.WARNING)
        self._find_files(content.scenes)
        return content.scenes

    def _find_files(self, scenes: Sequence[Scene]) -> None:
        """Look for pictures that are not where their names say, on local disks."""
        folder = self.image_folder
        if is_remote(folder, self.picture_backend):
            return
        self._files = find_files(folder, [scene.image for scene in scenes])
        owners: dict[str, str] = {}
        for scene in scenes:
            file = os.path.normpath(self._files.get(scene.image, scene.image))
            if owners.setdefault(file, scene.image) != scene.image:
                raise DataError(
                    f'{self.ann_file}: the images {owners[file]} and {scene.image} are one file, '
                    f'{join(folder, file)}, but each picture is listed once'
                )
        if self._files:
            name, file = next(iter(self._files.items()))
            moved = counted(len(self._files), 'picture is', 'pictures are')
            print_log(
                f'{self.ann_file}: {moved} not where file_name says; '
                f'{name} is taken from {join(folder, file)}',
                logger='current',
                level=logging.WARNING,
            )

    def locate(self, scene: Scene) -> dict[str, Any]:
        """Say where a scene's picture is."""
        file = self._files.get(scene.image, scene.image)
        return dict(img_path=join(self.image_folder, file))

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read ``protocol_files``."""
        paths = [self.root / os.path.expanduser(file) for file in self.protocol_files]
        protocols = [
            coco_protocol(require(path, self.TITLE), scenes, self._people) for path in paths
        ]
        for file, protocol in zip(self.protocol_files, protocols):
            if list(protocol.query_ids) != list(protocols[0].query_ids):
                raise ConfigError(
                    f'protocol {file} lists other queries than {self.protocol_files[0]}: the '
                    'protocols of one data set need the same queries in the same order'
                )
        return protocols
