"""Every person of a scene data set as a picture of his own."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.concat import person_search_parts, refuse_plain_concat
from mmclsa.datasets.crop_store import CropStore
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS

__all__ = ['PersonCropDataset', 'crop_region']

JPEG_QUALITY = 95
_FAR = 1 << 30  # an edge that no box reaches


def crop_region(box: np.ndarray, margin: float, width: int, height: int) -> np.ndarray:
    """Widen a box and round it to whole pixels of its picture.

    Args:
        box: x1 y1 x2 y2 in pixels.
        margin: Share of the box's width and height added on each side.
        width: Of the picture.
        height: Of the picture.

    Returns:
        Integers x1 y1 x2 y2 within the picture, at least one pixel wide and
        high where the box touches the picture.

    Example:
        >>> crop_region(np.array([10.0, 10.0, 20.0, 30.0]), 0.1, 100, 31).tolist()
        [9, 8, 21, 31]
    """
    box = np.asarray(box, dtype=np.float64)
    size = np.tile(box[2:] - box[:2], 2) * margin
    low, high = np.floor(box - size)[:2], np.ceil(box + size)[2:]
    region = np.concatenate([low, high])
    return np.clip(region, 0, [width, height, width, height]).astype(np.int64)


@DATASETS.register_module()
class PersonCropDataset(BasePersonSearchDataset):
    """Turn each labelled box of a training data set into a small picture.

    Items look like those of scenes, with one box and one person id, so the
    same transforms, data samples and models train on them. ``img_id`` is
    the scene's, ``@`` and the box's number.

    Args:
        dataset: Config of a scene data set, or of a
            ``ConcatPersonSearchDataset`` of several.
        margin: Share of a box's size that the picture has around it on each
            side, for jitter and shifts.
        cache: Keep crops once they are cut (JPEG, quality 95; about 10 kB
            each), in files that all processes of a machine, and later runs,
            share: a scene is decoded when one of its people is first needed,
            once on a machine, and a video whole. See
            :class:`~mmclsa.datasets.crop_store.CropStore`. Else each item
            decodes its whole scene.
        unlabelled: Cut out people without identity too (person id -1): for
            OIM's queue and for ``align_unlabeled``. An
            ``IdentityBalancedSampler`` draws them with ``num_unlabelled``.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: In test mode: crops are for training.
        DataError: If nobody is labelled; when an item is loaded, if its
            picture is broken.
    """

    TITLE = 'PersonCropDataset'

    def __init__(
        self,
        dataset: dict[str, Any],
        margin: float = 0.1,
        cache: bool = True,
        unlabelled: bool = False,
        **kwargs: Any,
    ) -> None:
        if margin < 0:
            raise ConfigError(f'PersonCropDataset.margin must be 0 or more, not {margin}')
        self.dataset = DATASETS.build(dataset)
        refuse_plain_concat(self.dataset)
        self.margin = margin
        self.cache = cache
        self.unlabelled = unlabelled
        super().__init__(**kwargs)
        self._store = CropStore(lasting=self._lasts()) if cache else None

    def load_scenes(self) -> list[Any]:
        """Return the scenes that the crops come from."""
        return list(self.dataset.scenes)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Make one item a person."""
        if self.test_mode or self.dataset.test_mode:
            raise ConfigError('PersonCropDataset is for training, but test_mode is True')
        self.scenes = self.load_scenes()
        self.num_identities = self.dataset.num_identities
        self._check_identities()
        items = []
        for index in range(len(self.dataset)):
            items.extend(self._items_of(index))
        if not any(item['instances'][0]['person_id'] >= 0 for item in items):
            raise DataError(f'PersonCropDataset: nobody is labelled in {self.dataset.TITLE}')
        return items

    def _people_of(self, scene: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        """List the people of a scene who are cut out, each with the number of his box."""
        return [
            (number, instance)
            for number, instance in enumerate(scene['instances'])
            if not instance['ignore_flag'] and (self.unlabelled or instance['person_id'] >= 0)
        ]

    def _items_of(self, index: int) -> list[dict[str, Any]]:
        scene = self.dataset.get_data_info(index)
        return [
            dict(
                img_id=f'{scene["img_id"]}@{number}',
                cam_id=scene['cam_id'],
                source=index,
                place=place,
                instances=[instance],
            )
            for place, (number, instance) in enumerate(self._people_of(scene))
        ]

    def _lasts(self) -> bool:
        """Whether the crops depend on local files alone, whose change would be seen."""
        parts = person_search_parts(self.dataset)
        if self.picture_backend or any(part.picture_backend for part in parts):
            return False
        # One that makes its pictures itself may make others tomorrow.
        own = any(type(part).picture is not BasePersonSearchDataset.picture for part in parts)
        return not own and os.path.isfile(self.dataset.get_data_info(0).get('img_path', ''))

    def _crops_of(self, scene: dict[str, Any]) -> list[np.ndarray]:
        """Decode a scene and cut its people out, (h_i, w_i, 3) each."""
        people = self._people_of(scene)
        picture = self.dataset.load_picture(scene, self.picture_backend)
        height, width = picture.shape[:2]
        crops = []
        for number, instance in people:
            x1, y1, x2, y2 = crop_region(instance['bbox'], self.margin, width, height)
            if x2 <= x1 or y2 <= y1:
                raise DataError(
                    f'box {instance["bbox"]} of {scene["img_id"]}@{number} lies outside its image'
                )
            crops.append(np.ascontiguousarray(picture[y1:y2, x1:x2]))
        return crops

    def picture(self, info: dict[str, Any]) -> np.ndarray:
        """Look up an item's crop, or cut it from its scene; move the box into it."""
        source, place = info.pop('source'), info.pop('place')
        scene = self.dataset.get_data_info(source)
        crop = self._kept_crop(source, place, scene) if self._store else None
        if crop is None:
            crop = self._crops_of(scene)[place]
        self._move_box(info, crop)
        return crop

    def _move_box(self, info: dict[str, Any], crop: np.ndarray) -> None:
        """Give an item the size of its crop, and its box in the crop's pixels."""
        info['height'], info['width'] = crop.shape[:2]
        (instance,) = info['instances']
        box = np.asarray(instance['bbox'], dtype=np.float64)
        # The picture's size matters at its right and lower edges alone, where the crop ends too.
        left, top = crop_region(box, self.margin, _FAR, _FAR)[:2]
        moved = np.maximum(box, 0) - [left, top, left, top]
        moved = np.minimum(moved, [info['width'], info['height']] * 2)
        info['instances'] = [dict(instance, bbox=moved.tolist())]

    def _kept_crop(self, source: int, place: int, scene: dict[str, Any]) -> np.ndarray | None:
        """Look up a crop; cut and keep those of its scene if need be."""
        assert self._store is not None
        key = self._key(source, scene)
        if key is None:
            return None
        jpeg = self._store.load(key, place)
        if jpeg is None:
            with self._store.alone(str(scene.get('img_path', source)).encode()):
                jpeg = self._store.load(key, place)  # another process was faster
                if jpeg is None:
                    jpeg = self._keep(source, key)[place]
        return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))

    def _keep(self, source: int, wanted: bytes) -> list[np.ndarray]:
        """Cut and keep the crops of a scene, and of its whole video, in order."""
        assert self._store is not None
        found: list[np.ndarray] = []
        for index in self._scenes_with(source):
            scene = self.dataset.get_data_info(index)
            key = self._key(index, scene)
            done = key is None or not self._people_of(scene) or self._store.load(key, 0) is not None
            if key is None or (done and key != wanted):
                continue
            jpegs = [_encoded(crop) for crop in self._crops_of(scene)]
            self._store.save(key, jpegs)
            found = jpegs if key == wanted else found
        return found

    def _scenes_with(self, source: int) -> list[int]:
        """List the scenes of a scene's video, in order of time; of a picture it alone."""
        path = self.dataset.get_data_info(source).get('img_path')
        frames = {source: self.dataset.get_data_info(source).get('frame')}
        if frames[source] is None:
            return [source]
        for index in range(len(self.dataset)):
            info = self.dataset.get_data_info(index)
            # Each once: a data set may be repeated.
            if info.get('img_path') == path and info['frame'] not in frames.values():
                frames[index] = info['frame']
        return sorted(frames, key=frames.__getitem__)

    def _key(self, source: int, scene: dict[str, Any]) -> bytes | None:
        """Say all that the crops of a scene depend on; None if that cannot be said."""
        boxes = [instance['bbox'] for _, instance in self._people_of(scene)]
        what: list[Any] = [boxes, self.margin, JPEG_QUALITY, scene.get('frame')]
        if self._store is None or not self._store.lasting:
            return repr([*what, source, scene['img_id']]).encode()
        try:
            status = os.stat(scene['img_path'])
        except OSError:
            return None
        return repr(
            [*what, os.path.abspath(scene['img_path']), status.st_size, status.st_mtime_ns]
        ).encode()


def _encoded(crop: np.ndarray) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return np.asarray(cv2.imencode('.jpg', crop, quality)[1]).reshape(-1)
