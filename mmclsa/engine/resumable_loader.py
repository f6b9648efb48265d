"""A data loader that can start anywhere in an epoch and gives what it would have given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from mmengine.dist import get_rank
from torch.utils.data import DataLoader, Dataset

from mmclsa.engine.seeding import seed_everything
from mmclsa.errors import ConfigError

__all__ = ['Place', 'PlacedBatches', 'SeededDataset', 'resumable_loader']

_OF_SAMPLES = 1  # sets the seeds of samples apart from those of training steps


class Place(NamedTuple):
    """Which item comes where in the training.

    Args:
        seed: Seed of the run.
        epoch: Epoch, from 0.
        position: Number of the sample in this process's epoch, from 0.
        item: Index of the item in the data set.
    """

    seed: int
    epoch: int
    position: int
    item: int


class PlacedBatches:
    """Batches of a batch sampler, each index with its place, from some batch on.

    Args:
        batch_sampler: Gives lists of indices; the same ones for an epoch
            whenever it is asked.
    """

    def __init__(self, batch_sampler: Any) -> None:
        self.batch_sampler = batch_sampler
        self.seed = 0
        self.epoch = 0
        self.start = 0

    @property
    def sampler(self) -> Any:
        """The sampler below, for whoever sets its epoch."""
        return self.batch_sampler.sampler

    @property
    def batch_size(self) -> int:
        """Samples of a batch, for MMEngine's FlexibleRunner."""
        return self.batch_sampler.batch_size

    def __iter__(self) -> Iterator[list[Place]]:
        position = 0
        for number, batch in enumerate(self.batch_sampler):
            if number >= self.start:
                yield [
                    Place(self.seed, self.epoch, position + place, int(index))
                    for place, index in enumerate(batch)
                ]
            position += len(batch)

    def __len__(self) -> int:
        return len(self.batch_sampler)


class SeededDataset(Dataset):
    """A data set whose random transforms follow from the place of a sample alone.

    Before an item is made, every generator is seeded with (seed of the run,
    epoch, rank, position). Neither the worker process that makes it matters
    nor what the worker made before, so a resumed run gets the samples of an
    unbroken one whatever the data set is: wrapped, joined, without pipeline.

    Args:
        dataset: The data set. All its attributes are those of this one too.
    """

    def __init__(self, dataset: Any) -> None:
        self.__dict__['dataset'] = dataset
        self.__dict__['rank'] = get_rank()

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, Place):
            return self.dataset[place]
        seed_everything(place.seed, _OF_SAMPLES, place.epoch, self.rank, place.position)
        return self.dataset[place.item]

    def __getitems__(self, places: list[Any]) -> list[Any]:
        # Or PyTorch would hand the places to that method of the data set below.
        return [self[place] for place in places]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if 'dataset' not in self.__dict__:  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.__dict__['dataset'], name)

    def __setattr__(self, name: str, value: Any) -> None:
        # Hooks that switch a pipeline mean the one that is used.
        setattr(self.__dict__['dataset'], name, value)


def resumable_loader(loader: DataLoader) -> DataLoader:
    """Make a data loader whose ``batch_sampler`` is a :class:`PlacedBatches`.

    Args:
        loader: A loader of batches that has not been iterated yet.

    Returns:
        A loader like it, over a :class:`SeededDataset`.

    Raises:
        ConfigError: If the loader has no batches of indices that could be
            skipped.
    """
    if isinstance(loader.dataset, torch.utils.data.IterableDataset) or not loader.batch_sampler:
        raise ConfigError(
            'ResumableEpochBasedTrainLoop needs a train_dataloader with a sampler and a '
            'batch_size or batch_sampler, but the data set is iterable or there are no batches'
        )
    return DataLoader(
        SeededDataset(loader.dataset),
        batch_sampler=PlacedBatches(loader.batch_sampler),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        # Of its own: starting workers draws a number, keeping them does not.
        generator=torch.Generator(),
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )
