"""Synthetic scenes as a data set: nothing to download, nothing on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.synthetic.scenes import SceneSettings, draw_scene, plan_scene
from mmclsa.datasets.synthetic.search_task import scene_of_plan, search_task
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['SyntheticPersonSearch']


@DATASETS.register_module()
class SyntheticPersonSearch(BasePersonSearchDataset):
    """Drawn scenes of people with clothes of their own, at many scales.

    A scene depends on the seed and its number alone and is drawn when it is
    loaded, in the data loader's workers, so the data set is small to pickle
    and the same in every process. Picture ``i`` has the key
    ``scene_0000i.png``; there is no file.

    Args:
        num_scenes: How many scenes.
        num_identities: How many people have an identity; all of them appear,
            so it is also what ``metainfo`` reports.
        first_identity: Number of the first of them in the population. A
            test set with a range of its own has people nobody trained on.
        people_per_scene: Fewest and most people in a scene; there may be
            fewer where there is no room.
        img_size: Width and height, pixels.
        person_height: Smallest and largest person, as a share of the height.
        unlabelled: Chance, 0..1, that a person beside a scene's first one is
            a passer-by with id -1.
        occlusion: Chance, 0..1, that a part of a person is hidden.
        overlap: How much of a person, 0..1, may lie in the box of a bigger one.
        lookalikes: Identities in groups of this many wear the same but for
            details that small pictures hardly show; 1 for none.
        light: How far the light goes beyond the usual, 0..1.
        blur: Chance, 0..1, that a picture is out of focus.
        seed: Of the scenes and of the choice of queries.
        population_seed: Of the people's looks; the same for training and test.
        queries_per_identity: Queries of each test identity, at most.
        gallery_sizes: A protocol for each: a number of images, or None for
            all but the query's own.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: If an argument is out of range.
    """

    TITLE = 'the synthetic data set'
    MAKES_IDENTITIES = True

    def __init__(
        self,
        num_scenes: int = 400,
        num_identities: int = 80,
        first_identity: int = 0,
        people_per_scene: tuple[int, int] = (2, 5),
        img_size: tuple[int, int] = (256, 192),
        person_height: tuple[float, float] = (0.125, 0.92),
        unlabelled: float = 0.1,
        occlusion: float = 0.2,
        overlap: float = 0.15,
        lookalikes: int = 1,
        light: float = 0.0,
        blur: float = 0.0,
        seed: int = 0,
        population_seed: int = 0,
        queries_per_identity: int = 2,
        gallery_sizes: Sequence[int | None] = (None,),
        **kwargs: Any,
    ) -> None:
        self.num_scenes = num_scenes
        self.queries_per_identity = queries_per_identity
        self.gallery_sizes = tuple(gallery_sizes)
        self.settings = SceneSettings(
            width=img_size[0],
            height=img_size[1],
            num_identities=num_identities,
            first_identity=first_identity,
            people=(people_per_scene[0], people_per_scene[1]),
            person_height=(person_height[0], person_height[1]),
            unlabelled=unlabelled,
            occlusion=occlusion,
            overlap=overlap,
            lookalikes=lookalikes,
            light=light,
            blur=blur,
            seed=seed,
            population_seed=population_seed,
        )
        self._check()
        super().__init__(num_identities=num_identities, **kwargs)

    def _check(self) -> None:
        """Refuse settings that no scene can meet."""
        s = self.settings
        low, high = s.person_height
        limits = (
            ('seed', s.seed, s.seed >= 0, 'at least 0'),
            ('population_seed', s.population_seed, s.population_seed >= 0, 'at least 0'),
            ('first_identity', s.first_identity, s.first_identity >= 0, 'at least 0'),
            ('num_identities', s.num_identities, s.num_identities >= 1, 'at least 1'),
            (
                'num_scenes',
                self.num_scenes,
                self.num_scenes >= s.num_identities,
                f'at least num_identities ({s.num_identities}), so that everybody appears',
            ),
            ('people_per_scene', s.people, 1 <= s.people[0] <= s.people[1], '1 <= least <= most'),
            ('img_size', (s.width, s.height), min(s.width, s.height) >= 32, 'at least 32 pixels'),
            (
                'person_height',
                s.person_height,
                0 < low <= high <= 1,
                '0 < smallest <= largest <= 1',
            ),
            ('overlap', s.overlap, 0 < s.overlap <= 1, 'above 0 and at most 1'),
            ('lookalikes', s.lookalikes, s.lookalikes >= 1, 'at least 1'),
            *(
                (share, getattr(s, share), 0 <= getattr(s, share) <= 1, 'between 0 and 1')
                for share in ('unlabelled', 'occlusion', 'light', 'blur')
            ),
        )
        for name, value, right, expected in limits:
            if not right:
                raise ConfigError(
                    f'{name} of SyntheticPersonSearch must be {expected}, but is {value}'
                )

    def load_scenes(self) -> list[Scene]:
        """Plan all scenes; a millisecond each."""
        return [scene_of_plan(plan_scene(self.settings, i)) for i in range(self.num_scenes)]

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Make a task of each of ``gallery_sizes``, all with the same queries."""
        return [
            search_task(scenes, self.queries_per_identity, size, self.settings.seed)
            for size in self.gallery_sizes
        ]

    def locate(self, scene: Scene) -> dict[str, Any]:
        """Give the scene's number, from which :meth:`picture` draws it."""
        return dict(scene_index=int(scene.image[len('scene_') : -len('.png')]))

    def picture(self, info: dict[str, Any]) -> np.ndarray:
        """Draw a scene.

        Args:
            info: The item.

        Returns:
            Shape (H, W, 3), uint8, BGR.
        """
        return draw_scene(plan_scene(self.settings, info['scene_index']))
