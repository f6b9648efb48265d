"""Every person of a scene data set as a picture of his own."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.concat import refuse_plain_concat
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS

__all__ = ['PersonCropDataset', 'crop_region']

JPEG_QUALITY = 95


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
        cache: Decode every scene once when the data set is built and keep
            the crops in memory (JPEG, quality 95; about 10 kB each). Else
            each item decodes its whole scene.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: In test mode: crops are for training.
        DataError: If nobody is labelled, or a picture is broken.
    """

    TITLE = 'PersonCropDataset'

    def __init__(
        self,
        dataset: dict[str, Any],
        margin: float = 0.1,
        cache: bool = True,
        **kwargs: Any,
    ) -> None:
        if margin < 0:
            raise ConfigError(f'PersonCropDataset.margin must be 0 or more, not {margin}')
        self.dataset = DATASETS.build(dataset)
        refuse_plain_concat(self.dataset)
        self.margin = margin
        self.cache = cache
        super().__init__(**kwargs)

    def load_scenes(self) -> list[Any]:
        """Return the scenes that the crops come from."""
        return list(self.dataset.scenes)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Make one item a labelled person."""
        if self.test_mode or self.dataset.test_mode:
            raise ConfigError('PersonCropDataset is for training, but test_mode is True')
        self.scenes = self.load_scenes()
        self.num_identities = self.dataset.num_identities
        self._check_identities()
        items = []
        for index in range(len(self.dataset)):
            items.extend(self._crops_of(index))
        if not items:
            raise DataError(f'PersonCropDataset: nobody is labelled in {self.dataset.TITLE}')
        return items

    def _crops_of(self, index: int) -> list[dict[str, Any]]:
        scene = self.dataset.get_data_info(index)
        people = [
            (number, instance)
            for number, instance in enumerate(scene['instances'])
            if not instance['ignore_flag'] and instance['person_id'] >= 0
        ]
        picture = self._scene_picture(index) if self.cache and people else None
        items = []
        for number, instance in people:
            item = dict(
                img_id=f'{scene["img_id"]}@{number}',
                cam_id=scene['cam_id'],
                source=index,
                instances=[instance],
            )
            if picture is not None:
                crop = self._cut(picture, item)
                quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
                item['jpeg'] = cv2.imencode('.jpg', crop, quality)[1].tobytes()
            items.append(item)
        return items

    def _scene_picture(self, index: int) -> np.ndarray:
        info = self.dataset.get_data_info(index)
        return self.dataset.load_picture(info, self.picture_backend)

    def _cut(self, picture: np.ndarray, item: dict[str, Any]) -> np.ndarray:
        """Cut an item's person out and move its box into the crop."""
        height, width = picture.shape[:2]
        instance = item['instances'][0]
        x1, y1, x2, y2 = crop_region(instance['bbox'], self.margin, width, height)
        if x2 <= x1 or y2 <= y1:
            raise DataError(f'box {instance["bbox"]} of {item["img_id"]} lies outside its image')
        box = np.clip(instance['bbox'], 0, [width, height, width, height])
        moved = [float(v) for v in box - [x1, y1, x1, y1]]
        item['instances'] = [dict(instance, bbox=moved)]
        item['height'], item['width'] = int(y2 - y1), int(x2 - x1)
        return picture[y1:y2, x1:x2]

    def picture(self, info: dict[str, Any]) -> np.ndarray:
        """Decode an item's crop, or cut it from its scene."""
        jpeg = info.pop('jpeg', None)
        if jpeg is None:
            return np.ascontiguousarray(self._cut(self._scene_picture(info['source']), info))
        return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
