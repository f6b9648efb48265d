"""Telling the numbers and names of one data set from those of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmclsa.structures import Scene, SearchProtocol

__all__ = ['Offsets']


def _shift(numbers: np.ndarray, offset: int) -> np.ndarray:
    """Add an offset to numbers; negative ones mean unknown and stay."""
    return np.where(numbers < 0, numbers, numbers + offset)


@dataclass(frozen=True)
class Offsets:
    """Where a data set's numbers begin among those of several data sets.

    Attributes:
        name: Of the data set; stands before the keys of its images
            (``prw/c1s1_001051.jpg``) and the names of its protocols
            (``prw_regular``).
        person_offset: Added to its person ids; -1 stays -1.
        cam_offset: Added to its cameras; -1 stays -1.
        query_offset: Added to the numbers of its queries.
    """

    name: str
    person_offset: int = 0
    cam_offset: int = 0
    query_offset: int = 0

    def image(self, key: str) -> str:
        """Name an image.

        Example:
            >>> Offsets('prw').image('c1s1_001051.jpg')
            'prw/c1s1_001051.jpg'
        """
        return f'{self.name}/{key}'

    def own_image(self, placed: str) -> str:
        """Give back the key that the data set itself has for an image.

        Example:
            >>> Offsets('prw').own_image('prw/c1s1_001051.jpg')
            'c1s1_001051.jpg'
        """
        return placed[len(self.name) + 1 :]

    def item(self, info: dict[str, Any]) -> dict[str, Any]:
        """Place an item of the data set; ``data_set`` tells whose it is.

        Example:
            >>> people = [dict(person_id=3), dict(person_id=-1)]
            >>> info = dict(img_id='a.jpg', cam_id=1, instances=people)
            >>> placed = Offsets('prw', person_offset=100, cam_offset=6).item(info)
            >>> placed['img_id'], placed['cam_id'], placed['data_set']
            ('prw/a.jpg', 7, 'prw')
            >>> [person['person_id'] for person in placed['instances']]
            [103, -1]
        """
        placed = dict(info, img_id=self.image(info['img_id']), data_set=self.name)
        placed['cam_id'] = int(_shift(np.array(info['cam_id']), self.cam_offset))
        placed['instances'] = [
            dict(one, person_id=int(_shift(np.array(one['person_id']), self.person_offset)))
            for one in info['instances']
        ]
        if 'queries' in info:
            placed['queries'] = [
                dict(query, query_id=query['query_id'] + self.query_offset)
                for query in info['queries']
            ]
        return placed

    def scene(self, scene: Scene) -> Scene:
        """Place a scene."""
        return replace(
            scene,
            image=self.image(scene.image),
            person_ids=_shift(scene.person_ids, self.person_offset),
            cam_id=int(_shift(np.array(scene.cam_id), self.cam_offset)),
        )

    def protocol(self, task: SearchProtocol) -> SearchProtocol:
        """Place a retrieval task; its galleries are the data set's own images."""
        wider = task.all_cameras
        cams = task.image_cams
        return replace(
            task,
            name=f'{self.name}_{task.name}',
            images=tuple(self.image(image) for image in task.images),
            query_ids=task.query_ids + self.query_offset,
            person_ids=_shift(task.person_ids, self.person_offset),
            cam_ids=_shift(task.cam_ids, self.cam_offset),
            image_cams=None if cams is None else _shift(cams, self.cam_offset),
            all_cameras=None if wider is None else self.protocol(wider),
            _index={},
        )
