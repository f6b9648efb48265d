"""Do the samplers of a data loader and its data set fit?"""

from __future__ import annotations

from typing import Any

from mmdet.datasets.samplers import AspectRatioBatchSampler, MultiDataAspectRatioBatchSampler
from torch.utils.data import BatchSampler

from mmclsa.datasets.samplers.identity_balanced import IdentityBalancedSampler
from mmclsa.errors import ConfigError

__all__ = ['check_aspect_ratios', 'check_balanced_batches']


def _batch_sampler(loader: Any) -> Any:
    """Look for the sampler that makes the batches, below wrappers such as PlacedBatches."""
    batches: Any = getattr(loader, 'batch_sampler', None)
    while hasattr(batches, 'batch_sampler'):
        batches = batches.batch_sampler
    return batches


def check_balanced_batches(loader: Any) -> None:
    """Refuse a data loader that cuts the batches of the sampler in another way.

    Args:
        loader: A ``torch.utils.data.DataLoader``.

    Raises:
        ConfigError: If its sampler is an ``IdentityBalancedSampler`` and its
            batches are not P people with K pictures each (and those without
            identity).
    """
    batches = _batch_sampler(loader)
    sampler = getattr(batches, 'sampler', None)
    if not isinstance(sampler, IdentityBalancedSampler):
        return
    people, pictures = sampler.num_persons, sampler.num_instances
    if type(batches) is not BatchSampler:
        raise ConfigError(
            f'train_dataloader.batch_sampler {type(batches).__name__} takes the batches of '
            f'IdentityBalancedSampler ({people} people with {pictures} pictures each) apart: set '
            'batch_sampler=None'
        )
    others = sampler.num_unlabelled
    size = people * pictures + others
    if batches.batch_size != size:
        plus = (' + num_unlabelled', f' + {others}') if others else ('', '')
        raise ConfigError(
            f'train_dataloader.batch_size is {batches.batch_size}, but IdentityBalancedSampler '
            f'draws num_persons x num_instances{plus[0]} = {people} x {pictures}{plus[1]} = {size} '
            f'pictures a batch: set batch_size={size}'
        )


def check_aspect_ratios(loader: Any) -> None:
    """Refuse batches by aspect ratio of pictures whose sizes are not known.

    Args:
        loader: A ``torch.utils.data.DataLoader``. The first and the last item
            of its data set are looked at.

    Raises:
        ConfigError: If an ``AspectRatioBatchSampler`` would meet an item
            without ``width`` and ``height``.
    """
    batches = _batch_sampler(loader)
    if not isinstance(batches, (AspectRatioBatchSampler, MultiDataAspectRatioBatchSampler)):
        return
    dataset = loader.dataset
    for index in (0, len(dataset) - 1):
        info = dataset.get_data_info(index)
        if not {'width', 'height'} <= info.keys():
            raise ConfigError(
                f'train_dataloader.batch_sampler {type(batches).__name__} needs the sizes of '
                f'pictures, but that of {info.get("img_id")} is not known (no annotation has it, '
                'and it is read from local files with check_images=True alone): set '
                'batch_sampler=None'
            )
