"""What the identity check refuses before training, beside wrong numbers (test_hooks.py)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet.datasets import ConcatDataset, MultiImageMixDataset
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmdet.datasets.transforms import PackDetInputs
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from mmclsa.datasets import ConcatPersonSearchDataset, SyntheticPersonSearch
from mmclsa.datasets.samplers import IdentityBalancedSampler
from mmclsa.engine.hooks import IdentityCheckHook
from mmclsa.engine.hooks.identity_check import dataset_identities
from mmclsa.engine.resumable_loader import resumable_loader
from mmclsa.errors import ConfigError

STEPS = [dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')]


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


class Twice(list):
    """A wrapper in the manner of RepeatDataset, which does not take a wrapper."""

    def __init__(self, dataset):
        super().__init__([0, 1])
        self.dataset = dataset


def scenes(seed=0, people=4):
    return SyntheticPersonSearch(
        num_scenes=6,
        num_identities=people,
        img_size=(64, 48),
        seed=seed,
        pipeline=STEPS,
        serialize_data=False,
    )


@pytest.fixture(params=[False, True], ids=['plain', 'resumable'])
def check(request):
    """Run the check on a data loader, as it is and as ResumableEpochBasedTrainLoop wraps it."""

    def run(dataset, num_identities=4, **options):
        loader = DataLoader(dataset, **options)
        model = torch.nn.Module()
        model.head = torch.nn.Linear(1, 1)
        model.head.num_identities = num_identities
        loader = resumable_loader(loader) if request.param else loader
        IdentityCheckHook().before_train(SimpleNamespace(train_dataloader=loader, model=model))

    return run


@pytest.mark.parametrize('wrapped', [False, True])
def test_nobody_with_an_identity_is_told_with_where_it_looked(check, wrapped):
    dataset = scenes()
    dataset.num_identities = 0
    dataset.identity_note = 'no annotation has person_id'
    with pytest.raises(ConfigError) as error:
        check(Twice(dataset) if wrapped else dataset)
    said = str(error.value)
    assert said.endswith('nobody in the training set has one: no annotation has person_id')
    assert 'num_identities=0' not in said, 'no head can be built so'


class TestSeveralDataSets:
    def test_mmdets_wrapper_is_refused(self, check):
        """Seen: the number of the first data set was taken, if any, and nobody noticed."""
        plain = ConcatDataset([scenes(0), scenes(1)])
        message = (
            r'^ConcatDataset joins 2 person-search data sets.*: use ConcatPersonSearchDataset$'
        )
        with pytest.raises(ConfigError, match=message):
            check(plain)
        with pytest.raises(ConfigError, match=message):
            check(Twice(plain))

    def test_different_numbers_are_refused_too(self, check):
        """There MMDetection's wrapper has a list of metainfo instead of a dict."""
        with pytest.raises(ConfigError, match='joins 2 person-search data sets'):
            check(ConcatDataset([scenes(0), scenes(1, people=5)]))

    def test_ours_passes_with_the_sum(self, check):
        ours = ConcatPersonSearchDataset(datasets=[scenes(0), scenes(1, people=5)], names='ab')
        check(ours, num_identities=9)
        check(Twice(ours), num_identities=9)
        with pytest.raises(ConfigError, match=r'num_identities is 4, but .* has 9 identities'):
            check(ours)

    def test_a_single_one_in_a_wrapper_passes(self, check):
        assert dataset_identities(ConcatDataset([scenes()])) == 4
        check(ConcatDataset([scenes()]))


class TestBalancedBatches:
    def balanced(self, dataset):
        return IdentityBalancedSampler(dataset, num_persons=3, num_instances=2, seed=0)

    @pytest.mark.parametrize('size', [1, 3, 5, 12])
    def test_another_batch_size_is_refused_with_the_numbers(self, check, size):
        dataset = scenes()
        with pytest.raises(ConfigError) as error:
            check(dataset, batch_size=size, sampler=self.balanced(dataset))
        assert str(error.value) == (
            f'train_dataloader.batch_size is {size}, but IdentityBalancedSampler draws '
            'num_persons x num_instances = 3 x 2 = 6 pictures a batch: set batch_size=6'
        )

    def test_the_right_size_passes(self, check):
        dataset = scenes()
        check(dataset, batch_size=6, sampler=self.balanced(dataset))
        check(dataset, batch_size=5)

    def test_a_batch_sampler_around_it_is_refused(self, check):
        dataset = scenes()
        sampler = AspectRatioBatchSampler(self.balanced(dataset), batch_size=6)
        with pytest.raises(ConfigError, match=r'AspectRatioBatchSampler .* \(3 people with 2 pict'):
            check(dataset, batch_sampler=sampler)


def test_aspect_ratios_of_pictures_whose_size_nobody_knows(check):
    """Seen: KeyError 'width' in the first batch; pictures in a storage have no known size."""
    dataset = scenes()
    sampler = torch.utils.data.SequentialSampler(dataset)
    sampler.dataset = dataset
    batches = AspectRatioBatchSampler(sampler, batch_size=2)
    check(dataset, batch_sampler=batches)
    dataset.data_list[-1].pop('width')
    with pytest.raises(ConfigError, match=r'AspectRatioBatchSampler needs .*: set batch_sampler=N'):
        check(dataset, batch_sampler=batches)


def test_pipeline_of_a_wrapper_is_checked(check):
    mixed = MultiImageMixDataset(scenes(), pipeline=[dict(type='PackPersonSearchInputs')])
    check(mixed)
    mixed.pipeline.append(PackDetInputs())
    with pytest.raises(ConfigError, match=r'mmdet\.PackDetInputs.*: use PackPersonSearchInputs'):
        check(mixed)
