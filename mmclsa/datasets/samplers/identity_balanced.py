"""Batches of P people with K pictures each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmclsa.errors import ConfigError
from mmclsa.registry import DATA_SAMPLERS

__all__ = ['IdentityBalancedSampler']


def _endless(values: np.ndarray, group: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield groups of ``values`` without repetition in a shuffled, endless stream.

    A value comes again only when fewer than ``group`` others are left. With
    fewer values than ``group``, all come about equally often in each group.
    """
    repeats = math.ceil(group / len(values))
    while True:
        # Whole permutations one after another, so that a short list repeats evenly.
        order = np.concatenate([rng.permutation(values) for _ in range(repeats)])
        for start in range(0, len(order) - group + 1, group):
            yield order[start : start + group]


@DATA_SAMPLERS.register_module()
class IdentityBalancedSampler(Sampler):
    """Draw batches of ``num_persons`` people with ``num_instances`` pictures each.

    Each process gets batches of its own; the data loader's ``batch_size`` must
    be ``num_persons * num_instances + num_unlabelled`` (``IdentityCheckHook``
    sees to it).
    Everybody comes equally often, however many pictures there are; a person
    with fewer pictures than ``num_instances`` has them repeated. The order
    depends on seed and epoch alone (call :meth:`set_epoch`, as MMEngine
    does), not on what was drawn before.

    Args:
        dataset: Items with ``instances``; those that have at least one person
            id >= 0 are drawn.
        num_persons: P, different people of a batch.
        num_instances: K, pictures of each.
        same_camera: Fill a batch with people of one camera (``cam_id``) as far
            as there are enough, chosen in proportion to its people. Others of
            the same place are the hard ones to be told apart; before another
            background anybody is.
        num_unlabelled: Further pictures of a batch in which nobody has an
            identity, such as ``PersonCropDataset(unlabelled=True)`` has: for
            OIM's queue and for ``align_unlabeled``.
        num_batches: Batches of an epoch in each process. None: as many as it
            takes to see about as many pictures as the data set has of people
            with an identity.
        seed: Same in all processes; None draws one and shares it.
        round_up: Accepted because MMEngine passes it; batches are whole.

    Raises:
        ConfigError: If there are fewer people than a batch needs, or no
            picture without identity where some are wanted.
    """

    def __init__(
        self,
        dataset: Any,
        num_persons: int,
        num_instances: int,
        num_batches: int | None = None,
        same_camera: bool = False,
        seed: int | None = None,
        round_up: bool = True,
        num_unlabelled: int = 0,
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.num_persons = num_persons
        self.num_instances = num_instances
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.round_up = round_up
        self.num_unlabelled = num_unlabelled
        self.pictures, self.cameras, self.unlabelled = _pictures_by_person(dataset)
        self.same_camera = same_camera
        if not 0 < num_persons <= len(self.pictures) or num_instances < 1:
            raise ConfigError(
                f'IdentityBalancedSampler wants {num_persons} people with {num_instances} pictures '
                f'each in a batch, but the data set has {len(self.pictures)} people'
            )
        if num_unlabelled < 0 or (num_unlabelled and not len(self.unlabelled)):
            raise ConfigError(
                f'IdentityBalancedSampler wants {num_unlabelled} pictures of people without '
                f'identity in a batch, but the data set has {len(self.unlabelled)}: '
                'PersonCropDataset has them with unlabelled=True'
            )
        drawn = num_persons * num_instances * self.world_size
        total = sum(len(indices) for indices in self.pictures.values())
        self.num_batches = num_batches or math.ceil(total / drawn)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        people = self._people(rng)
        # A stream for each person, so that what one gets does not depend on the others.
        streams = {
            person: _endless(
                indices,
                self.num_instances,
                np.random.default_rng([self.seed, self.epoch, person]),
            )
            for person, indices in self.pictures.items()
        }
        others = self._others()
        for batch in range(self.num_batches * self.world_size):
            chosen = [(person, next(streams[person])) for person in next(people).tolist()]
            without_identity = next(others)
            if batch % self.world_size == self.rank:
                for _, indices in chosen:
                    yield from indices.tolist()
                yield from without_identity.tolist()

    def _others(self) -> Iterator[np.ndarray]:
        """Yield the pictures without identity of one batch after the other, endlessly."""
        if not self.num_unlabelled:
            return repeat(self.unlabelled[:0])
        # Four numbers, so that nobody's stream has this seed.
        rng = np.random.default_rng([self.seed, self.epoch, 0, 1])
        return _endless(self.unlabelled, self.num_unlabelled, rng)

    def _people(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield the people of one batch after the other, endlessly."""
        everybody = np.array(sorted(self.pictures))
        if not self.same_camera:
            yield from _endless(everybody, self.num_persons, rng)
            return
        homes = np.array([self.cameras[person] for person in everybody.tolist()])
        cameras, counts = np.unique(homes, return_counts=True)
        streams = {
            camera: _endless(everybody[homes == camera], min(self.num_persons, count), rng)
            for camera, count in zip(cameras.tolist(), counts.tolist())
        }
        while True:
            camera = int(rng.choice(cameras, p=counts / counts.sum()))
            chosen = next(streams[camera])
            others = rng.permutation(everybody[homes != camera])
            yield np.concatenate([chosen, others[: self.num_persons - len(chosen)]])

    def __len__(self) -> int:
        return self.num_batches * (self.num_persons * self.num_instances + self.num_unlabelled)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch


def _pictures_by_person(
    dataset: Any,
) -> tuple[dict[int, np.ndarray], dict[int, int], np.ndarray]:
    """List the items of each labelled person, the camera of the first, and items of nobody known.

    Items of nobody known show people, none of whom has an identity.
    """
    pictures: dict[int, list[int]] = {}
    cameras: dict[int, int] = {}
    unlabelled: list[int] = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        people = {i['person_id'] for i in info['instances'] if not i['ignore_flag']}
        if people == {-1}:
            unlabelled.append(index)
        for person in people:
            if person >= 0:
                pictures.setdefault(int(person), []).append(index)
                cameras.setdefault(int(person), int(info.get('cam_id', -1)))
    by_person = {person: np.array(indices) for person, indices in pictures.items()}
    return by_person, cameras, np.array(unlabelled, dtype=np.int64)
