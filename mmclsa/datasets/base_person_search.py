"""What all person-search data sets have in common."""

from __future__ import annotations

import copy
import logging
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmclsa.datasets.identities import contiguous_ids, count_identities
from mmclsa.datasets.instances import make_instances
from mmclsa.datasets.offsets import Offsets
from mmclsa.datasets.picture_sizes import picture_sizes
from mmclsa.datasets.readers.paths import AnyPath, ReadablePath, as_path
from mmclsa.datasets.readers.true_sizes import BEYOND, leave_out_beyond
from mmclsa.datasets.settling import (
    REPORT,
    refuse_nobody,
    refuse_queries_beyond,
    take_true_sizes,
    tell_of_empty_boxes,
)
from mmclsa.datasets.storage import is_remote, join, open_path
from mmclsa.datasets.transforms.loading import LoadSceneImage
from mmclsa.datasets.transforms.pipeline_check import check_pipeline, steps_of
from mmclsa.errors import ConfigError, DataError
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['BasePersonSearchDataset', 'contiguous_ids', 'require']

DOCS = 'docs/datasets.md'


def require(path: AnyPath, what: str) -> ReadablePath:
    """Return a path that must exist.

    Args:
        path: File or folder, of this machine or of a storage.
        what: Whose file it is, for the message.

    Raises:
        DataError: If there is nothing, naming the path and where the docs
            tell how to get it.
    """
    path = as_path(path)
    if not path.exists():
        raise DataError(
            f'{what} is not complete: {path} is missing; {DOCS} tells how to get this data set '
            'and which files are expected'
        )
    return path


class BasePersonSearchDataset(BaseDetDataset):
    """Scenes with boxes, person ids and, at test time, queries.

    A subclass gives :meth:`load_scenes` and, for testing,
    :meth:`load_protocols`; this class makes MMDetection's items of them::

        dict(img_id='s1.jpg', img_path='data/.../s1.jpg', cam_id=-1, height=.., width=..,
             instances=[dict(bbox=[x1, y1, x2, y2], bbox_label=0, ignore_flag=0, person_id=3)],
             queries=[dict(bbox=[x1, y1, x2, y2], query_id=17)])

    ``height`` and ``width``, which ``mmdet.AspectRatioBatchSampler`` needs, are
    there for training and where the annotation knows them; ``queries`` (boxes
    in original pixels) with ``test_mode=True``. For training, person ids are
    0..num_identities-1; for testing they are those of the protocols. -1 is a
    person without identity everywhere. Boxes of width or height 0 are left out
    of training, with a warning.

    Pictures in memory: a subclass whose scenes are no files overrides
    :meth:`picture`; what it returns becomes ``results['img']``, and the
    transform ``LoadSceneImage`` takes it as it is. The method runs in the
    data loader's workers, on a data set that was forked or pickled.

    Args:
        num_identities: The number of training identities that the config was written for; a
            data set that has another number is an error. None accepts any.
        check_images: Look for the image folder and the first image when the data set is built,
            so that a missing one shows before training; for training also look at every picture
            whose size no annotation tells (see
            :func:`~mmclsa.datasets.picture_sizes.picture_sizes`). Where sizes in annotations
            are a tool's (COCO), look at every picture. ``'report'`` notes what is wrong with
            the pictures that are there, and raises nothing.
        data_prefix: Image folder below ``data_root``; None for that of the layout.
        args: Of ``mmdet.BaseDetDataset``.
        kwargs: Of ``mmdet.BaseDetDataset``. ``backend_args`` is where annotations are read from
            (pictures: ``LoadSceneImage.backend_args``). ``filter_cfg`` knows ``filter_empty_gt``
            (drop training scenes without a box) and ``filter_unlabelled`` (without an identity).

    Raises:
        DataError: If a file is missing or broken.
        ConfigError: If ``num_identities`` is not what the data set has, or
            the pipeline has a transform that loses person ids.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(classes=('person',), palette=[(220, 20, 60)])
    ann_file: str
    data_root: str
    data_prefix: dict[str, Any]
    #: The data set's name in messages.
    TITLE = 'the data set'
    #: data_prefix['img_path'] where none is given: that of the data set's layout.
    IMG_PATH = ''
    #: Published figures of a split ('train', 'test'), for verify_dataset: some of
    #: 'images', 'boxes', 'identities', 'queries' and 'query identities'.
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    #: Images of a published split that show an identity twice, without suffix, for verify_dataset.
    SHOWN_TWICE: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: Whether ``num_identities`` says what is made, not what the annotations should have.
    MAKES_IDENTITIES: ClassVar[bool] = False
    #: Whether sizes in the annotations are a tool's, so that those of the pictures count.
    SIZES_FROM_TEXT: ClassVar[bool] = False

    def __init__(
        self,
        *args: Any,
        num_identities: int | None = None,
        check_images: bool | str = True,
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self._expected_identities = num_identities
        self.check_images = check_images
        self.scenes: list[Scene] = []
        self.protocols: list[SearchProtocol] = []
        self.num_identities = 0
        #: How many boxes are in no scene, by what they are.
        self.left_out: Mapping[str, int] = {}
        #: Sentences on where annotations and pictures say different things.
        self.disagreements: Sequence[str] = ()
        #: Why nobody has an identity, where that is so.
        self.identity_note = ''
        #: Where its numbers begin among those of others; set by ConcatPersonSearchDataset.
        self.offsets: Offsets | None = None
        data_prefix = data_prefix or dict(img_path=self.IMG_PATH)
        super().__init__(*args, data_prefix=data_prefix, **kwargs)
        check_pipeline([self.pipeline])

    @abstractmethod
    def load_scenes(self) -> list[Scene]:
        """Read the scenes of this split."""

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Read the retrieval tasks on the scenes; only called in test mode."""
        return []

    @property
    def image_folder(self) -> str:
        """The folder that image keys are relative to."""
        return self.data_prefix.get('img_path') or self.data_root or '.'

    @property
    def root(self) -> ReadablePath:
        """``data_root`` to read annotations from, in the storage of ``backend_args``."""
        return open_path(self.data_root or '.', self.backend_args)

    @property
    def picture_backend(self) -> dict[str, Any] | None:
        """Where pictures are read from: ``backend_args`` of LoadSceneImage, or else its own."""
        loaders = [s for s in steps_of(self.pipeline) if isinstance(s, LoadSceneImage)]
        return loaders[0].backend_args if loaders else self.backend_args

    def _join_prefix(self) -> None:
        """Put ``data_root`` before relative paths, as MMEngine does, whatever the storage."""
        self.data_root = os.path.expanduser(self.data_root or '')
        ann_file = os.path.expanduser(self.ann_file)
        prefixes = {name: os.path.expanduser(path) for name, path in self.data_prefix.items()}
        # MMEngine knows the prefixes of a few storages alone, and asks them to join.
        self.ann_file = '' if '://' in f'{self.data_root}{ann_file}' else ann_file
        self.data_prefix = {
            name: p for name, p in prefixes.items() if '://' not in f'{self.data_root}{p}'
        }
        super()._join_prefix()
        self.ann_file = self.ann_file or self._below_root(ann_file)
        for name in prefixes.keys() - self.data_prefix.keys():
            self.data_prefix[name] = self._below_root(prefixes[name])

    def _below_root(self, path: str) -> str:
        alone = not path or is_abs(path) or '://' in path or not self.data_root
        return path if alone else join(self.data_root, path)

    def locate(self, scene: Scene) -> dict[str, Any]:
        """Say where a scene's picture is: the item's ``img_path``, or other keys."""
        return dict(img_path=join(self.image_folder, scene.image))

    def picture(self, info: dict[str, Any]) -> np.ndarray | None:
        """Make a scene's picture, or return None when it is a file.

        Args:
            info: The item, which this method may change.

        Returns:
            Shape (H, W, 3), uint8, BGR; or None.
        """
        return None

    def load_picture(
        self, info: dict[str, Any], backend_args: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Load or make an item's picture.

        Args:
            info: The item, which this method may change.
            backend_args: Where files are read from; None for :attr:`picture_backend`.

        Returns:
            Shape (H, W, 3), uint8, BGR.

        Raises:
            DataError: If it is missing or broken.
        """
        if self.offsets is not None:
            info = dict(info, img_id=self.offsets.own_image(info['img_id']))
        picture = self.picture(info)
        if picture is not None:
            return picture
        loader = LoadSceneImage(backend_args=backend_args or self.picture_backend)
        return np.asarray(loader(info)['img'])

    @property
    def _place(self) -> str:
        return str(self.data_root or 'memory')

    @property
    def split(self) -> str:
        """``test`` in test mode, else ``train``."""
        return 'test' if self.test_mode else 'train'

    def counts(self) -> dict[str, int]:
        """Count images, boxes and identities; in test mode also queries."""
        counts = dict(
            images=len(self.scenes),
            boxes=sum(int((~s.ignore).sum()) for s in self.scenes),
            identities=self.num_identities,
        )
        if self.test_mode and self.protocols:
            queries = self.protocols[0]
            counts['queries'] = len(queries.query_ids)
            counts['query identities'] = len(np.unique(queries.person_ids))
        return counts

    @property
    def metainfo(self) -> dict[str, Any]:
        """Classes, palette, ``num_identities``; in test mode ``protocols`` and ``scenes``."""
        info = copy.deepcopy(self._metainfo)
        info['num_identities'] = self.num_identities
        if self.test_mode:
            info.update(protocols=list(self.protocols), scenes=list(self.scenes))
        return info

    def load_data_list(self) -> list[dict[str, Any]]:
        """Make the items; see the class."""
        self.require_folder()
        scenes = self.load_scenes()
        if not scenes:
            raise DataError(f'{self.TITLE} has no scene for {self.split}ing in {self.data_root}')
        scenes = self._with_true_sizes(scenes)
        if self.test_mode:
            self.protocols = self.load_protocols(scenes)
            refuse_queries_beyond(self.protocols, scenes, self.TITLE)
            self.num_identities = count_identities(scenes)
        else:
            scenes, self.num_identities = contiguous_ids(scenes)
            self._check_identities()
            refuse_nobody(scenes, self.TITLE, self._place, self.left_out)
        self.scenes = scenes
        items = self._items(scenes)
        if self.check_images and self.check_images != REPORT:
            self._check_images(items)
            if not self.test_mode:
                self._add_sizes(items)
        return items

    def require_folder(self, name: str = '') -> None:
        """Look for ``data_root`` or a folder in it; a storage of objects has no folders.

        Raises:
            DataError: If it is missing.
        """
        if not is_remote(self.data_root or '', self.backend_args):
            require(self.root / name, self.TITLE)

    def _check_identities(self) -> None:
        expected = self._expected_identities
        if expected is not None and expected != self.num_identities:
            raise ConfigError(
                f'num_identities is {expected} in the config, but the training annotations of '
                f'{self.TITLE} in {self.data_root} have {self.num_identities} identities'
                + (f': {self.identity_note}' if self.identity_note else '')
            )

    def _with_true_sizes(self, scenes: list[Scene]) -> list[Scene]:
        """Take the sizes of pictures for those of annotations; leave out boxes beyond them."""
        if not self.SIZES_FROM_TEXT:
            return scenes
        files = [place['img_path'] for place in map(self.locate, scenes) if 'img_path' in place]
        local = not is_remote(self.image_folder, self.picture_backend)
        if self.check_images and local and len(files) == len(scenes):
            tolerant = self.check_images == REPORT
            for path in () if tolerant else (self.image_folder, files[0]):
                require(path, self.TITLE)
            scenes, found = take_true_sizes(scenes, files, self.image_folder, self.TITLE, tolerant)
            self.disagreements = [*self.disagreements, *found]
        scenes, beyond = leave_out_beyond(scenes)
        if beyond:
            self.left_out = {**self.left_out, BEYOND: beyond}
            text = f'{self.TITLE} in {self._place}: left out: {beyond} {BEYOND}'
            print_log(text, 'current', logging.WARNING)
        return scenes

    def _check_images(self, items: list[dict[str, Any]]) -> None:
        """Look for the image folder and the first image: a look at all takes minutes on NFS."""
        if 'img_path' in items[0]:
            backend, first = self.picture_backend, items[0]['img_path']
            if not is_remote(first, backend):
                require(self.image_folder, self.TITLE)
            require(open_path(first, backend), self.TITLE)

    def _add_sizes(self, items: list[dict[str, Any]]) -> None:
        """Give items the sizes of their pictures where the annotation knows none."""
        unknown = [i for i in items if 'width' not in i and 'img_path' in i and 'frame' not in i]
        if unknown and is_remote(unknown[0]['img_path'], self.picture_backend):
            # To read a size there is to fetch the picture.
            text = 'sizes of pictures in a storage are not read; an AspectRatioBatchSampler needs '
            text += 'them, so set train_dataloader.batch_sampler=None'
            print_log(f'{self.TITLE}: {text}', 'current', logging.WARNING)
            return
        names = [os.path.relpath(item['img_path'], self.image_folder) for item in unknown]
        for item, size in zip(unknown, picture_sizes(self.image_folder, names, self.TITLE)):
            item['width'], item['height'] = size

    def _items(self, scenes: list[Scene]) -> list[dict[str, Any]]:
        queries = self._queries_by_image() if self.test_mode else {}
        if not self.test_mode:
            tell_of_empty_boxes(scenes, self.TITLE, self._place)
        items = []
        for scene in scenes:
            item = dict(img_id=scene.image, cam_id=int(scene.cam_id), **self.locate(scene))
            if scene.height is not None and scene.width is not None:
                item.update(height=int(scene.height), width=int(scene.width))
            item['instances'] = make_instances(scene, self.test_mode)
            if self.test_mode:
                item['queries'] = queries.pop(scene.image, [])
            items.append(item)
        if queries:
            raise DataError(
                f'{self.TITLE} in {self.data_root}: the query image {min(queries)} is not among '
                'the test scenes'
            )
        return items

    def _queries_by_image(self) -> dict[str, list[dict[str, Any]]]:
        """Group the queries of all protocols by image; they share one query list."""
        queries: dict[str, list[dict[str, Any]]] = {}
        known: set[int] = set()
        for task in self.protocols:
            for query, image, box in zip(task.query_ids, task.query_images, task.query_boxes):
                if int(query) not in known:
                    entry = dict(bbox=[float(v) for v in box], query_id=int(query))
                    queries.setdefault(task.images[image], []).append(entry)
                    known.add(int(query))
        return queries

    def filter_data(self) -> list[dict[str, Any]]:
        """Drop training scenes that ``filter_cfg`` does not want."""
        if self.test_mode or not self.filter_cfg:
            return self.data_list
        kept = self.data_list
        if self.filter_cfg.get('filter_empty_gt'):
            kept = [d for d in kept if any(not i['ignore_flag'] for i in d['instances'])]
        if self.filter_cfg.get('filter_unlabelled'):
            kept = [d for d in kept if any(i['person_id'] >= 0 for i in d['instances'])]
        if not kept:
            raise DataError(
                f'{self.TITLE} in {self._place}: filter_cfg={dict(self.filter_cfg)} leaves none of '
                f'{len(self.data_list)} images for training; {self.identity_note or DOCS}'
            )
        return kept

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Look up an item; with its numbers among those of other data sets, where it is placed."""
        info = super().get_data_info(idx)
        return info if self.offsets is None else self.offsets.item(info)

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on an item, with its picture where it is in memory."""
        info = super().get_data_info(idx)
        # Before the item is placed: a data set knows its pictures by its own names.
        picture = self.picture(info)
        if picture is not None:
            info['img'] = picture
        return self.pipeline(info if self.offsets is None else self.offsets.item(info))
