"""A run that was stopped anywhere and resumed is the unbroken run, to the bit."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

from mmclsa.compat import load_torch_file
from mmclsa.engine.launch import set_resume
from mmclsa.engine.resumable_loader import Place, SeededDataset, resumable_loader
from mmclsa.errors import ConfigError
from tests.test_engine.toy import RecordBatches, ToyDataset, toy_config

STEPS = 6  # of an epoch: twelve numbers in batches of two
EMA = {'type': 'EMAHook', 'momentum': 0.1}


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


def run(work_dir: Path, stop_at: int | None = None, hooks: tuple = (), **overrides: Any) -> Runner:
    """Train; with ``stop_at``, a signal comes in that step and the run leaves with code 75."""
    cfg = Config(toy_config(work_dir, **overrides))
    cfg.custom_hooks.extend(hooks)
    if stop_at is not None:
        cfg.custom_hooks.append({'type': 'SignalAt', 'step': stop_at})
    runner = Runner.from_cfg(cfg)
    if stop_at is None:
        runner.train()
        return runner
    with pytest.raises(SystemExit) as ended:
        runner.train()
    assert ended.value.code == 75
    assert (work_dir / 'last_checkpoint').read_text().endswith('latest.pth')
    return runner


def assert_same(one: Any, other: Any, where: str = '') -> None:
    """Compare what checkpoints hold, to the bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for number, (a, b) in enumerate(zip(one, other)):
            assert_same(a, b, f'{where}[{number}]')
    else:
        assert torch.equal(one, other) if torch.is_tensor(one) else one == other, where


def assert_same_end(one: Path, other: Path) -> None:
    parts = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
    ends = [load_torch_file(folder / 'epoch_3.pth') for folder in (one, other)]
    for part in parts:
        assert_same(ends[0].get(part), ends[1].get(part), part)
    assert [end['meta']['iter'] for end in ends] == [3 * STEPS] * 2


class TestResume:
    @pytest.mark.parametrize(
        ('stop_at', 'workers'), [(0, (0, 0)), (STEPS - 1, (0, 0)), (STEPS + 2, (2, 1))]
    )
    def test_is_the_unbroken_run(self, tmp_path, stop_at, workers):
        """Stopped in the first, last or a middle step, with another number of workers."""
        loader = toy_config(tmp_path)['train_dataloader']
        loaders = [{**loader, 'num_workers': number} for number in workers]
        run(tmp_path / 'whole', train_dataloader=loaders[0], hooks=(EMA,))
        run(tmp_path / 'broken', stop_at, train_dataloader=loaders[0], hooks=(EMA,))
        np.random.seed(99)
        torch.manual_seed(99)
        run(tmp_path / 'broken', resume=True, train_dataloader=loaders[1], hooks=(EMA,))
        assert_same_end(tmp_path / 'whole', tmp_path / 'broken')
        assert not (tmp_path / 'broken' / 'latest.pth').exists(), 'an epoch took its place'

    def test_with_mmengines_own_loop_it_is_not(self, tmp_path):
        """The toy run really draws numbers that a resumed run would miss."""
        first, whole = ({'by_epoch': True, 'max_epochs': n} for n in (1, 3))
        unbroken = run(tmp_path / 'whole', train_cfg=whole).model.state_dict()
        run(tmp_path / 'broken', train_cfg=first)
        resumed = run(tmp_path / 'broken', train_cfg=whole, resume=True).model.state_dict()
        assert not torch.equal(resumed['head.weight'], unbroken['head.weight'])

    def test_twice_in_one_epoch(self, tmp_path):
        run(tmp_path / 'whole')
        run(tmp_path / 'broken', 1)
        run(tmp_path / 'broken', 3, resume=True)
        run(tmp_path / 'broken', resume=True)
        assert_same_end(tmp_path / 'whole', tmp_path / 'broken')

    def test_from_checkpoints_by_iteration(self, tmp_path):
        """MMEngine's own way to save in the middle of an epoch."""
        run(tmp_path / 'whole')
        by_iteration = {'by_epoch': False, 'interval': 4}
        run(tmp_path / 'broken', checkpoint=by_iteration)
        overrides = {'resume': True, 'load_from': str(tmp_path / 'broken' / 'iter_8.pth')}
        run(tmp_path / 'broken', **overrides)
        assert_same_end(tmp_path / 'whole', tmp_path / 'broken')

    def test_saves_between_accumulated_gradients(self, tmp_path):
        wrapper = toy_config(tmp_path)['optim_wrapper'] | {'accumulative_counts': 3}
        run(tmp_path / 'whole', optim_wrapper=wrapper)
        run(tmp_path / 'broken', 3, optim_wrapper=wrapper)
        saved = load_torch_file(tmp_path / 'broken' / 'latest.pth')
        assert saved['meta']['iter'] == 6, 'the signal came in step 4, the third gradient in 6'
        run(tmp_path / 'broken', resume=True, optim_wrapper=wrapper)
        assert_same_end(tmp_path / 'whole', tmp_path / 'broken')

    def test_without_a_seed_in_the_config(self, tmp_path):
        """The seed that the first run drew is in its checkpoint, for the sampler too."""

        def cfg(**overrides):
            return Config(toy_config(tmp_path, randomness={'seed': None}, **overrides))

        stopped = cfg()
        stopped.custom_hooks += [{'type': 'SignalAt', 'step': 1}]
        runner = Runner.from_cfg(stopped)
        with pytest.raises(SystemExit):
            runner.train()
        resumed = Runner.from_cfg(cfg(resume=True))
        assert resumed.seed != runner.seed
        resumed.train()
        assert resumed.train_loop.batches.sampler.seed == resumed.seed == runner.seed

    @pytest.mark.parametrize('plan', [{}, {'val_interval': 9, 'dynamic_intervals': [(2, 1)]}])
    def test_validation_that_was_cut_off_is_done(self, tmp_path, plan):
        """The epoch's checkpoint is written before its validation, which chooses the best one."""
        validated: list[int] = []

        class Validation:
            dataloader = None

            def run(self):
                validated.append(1)

        run(tmp_path, train_cfg={'type': 'ResumableEpochBasedTrainLoop', 'max_epochs': 2})
        resumed = Config(toy_config(tmp_path, resume=True))
        resumed.train_cfg.update(plan)
        runner = Runner.from_cfg(resumed)
        runner._val_loop = Validation()
        runner.build_val_loop = lambda loop: loop
        Validation.dataloader = DataLoader([1])
        runner.model.val_step = None
        runner.train()
        assert len(validated) == 2, 'after the epochs 2 and 3'

    def test_without_the_optimizer_there_is_only_the_end(self, tmp_path):
        """A run that was killed after its last step has a validation or a test to do."""
        done = run(tmp_path, checkpoint={'save_optimizer': False})
        cfg = Config(toy_config(tmp_path))
        set_resume(cfg, 'auto')
        again = Runner.from_cfg(cfg)
        again.train()
        assert (again.epoch, again.iter) == (done.epoch, done.iter)
        assert_same(again.model.state_dict(), done.model.state_dict())
        (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
        with pytest.raises(ConfigError, match='no field "optimizer": give it as load_from'):
            set_resume(cfg, 'auto')

    def test_other_number_of_batches_is_told(self, tmp_path):
        run(tmp_path, 3)
        loader = toy_config(tmp_path)['train_dataloader'] | {'batch_size': 4}
        runner = Runner.from_cfg(Config(toy_config(tmp_path, resume=True, train_dataloader=loader)))
        said: list[str] = []
        runner.logger.warning = lambda text, *args: said.append(str(text))
        runner.train()
        assert any('has done 4 batches of an epoch of 6, which has 3 now' in text for text in said)
        assert runner.iter == 4 + 1 + 3 + 3, 'two of three batches were skipped'


class TestSamples:
    def record(self, tmp_path, **overrides):
        cfg = Config(toy_config(tmp_path, **overrides))
        cfg.custom_hooks.append({'type': 'RecordBatches'})
        runner = Runner.from_cfg(cfg)
        runner.train()
        (recorder,) = (hook for hook in runner.hooks if isinstance(hook, RecordBatches))
        return np.concatenate(recorder.values)

    def test_all_draw_different_numbers(self, tmp_path):
        noise = self.record(tmp_path) % 1
        assert len(noise) == 3 * 12
        assert len(np.unique(noise.round(5))) == 3 * 12

    def test_do_not_depend_on_the_workers(self, tmp_path):
        loader = toy_config(tmp_path)['train_dataloader']
        values = [
            self.record(tmp_path / str(n), train_dataloader={**loader, 'num_workers': n})
            for n in (0, 1, 3)
        ]
        assert (values[0] == values[1]).all()
        assert (values[0] == values[2]).all()

    def test_workers_that_live_on_end_with_the_training(self, tmp_path):
        loader = dict(toy_config(tmp_path)['train_dataloader'], num_workers=1)
        before = set(multiprocessing.active_children())
        runner = run(tmp_path, train_dataloader={**loader, 'persistent_workers': True})
        assert set(multiprocessing.active_children()) <= before
        assert runner.train_dataloader.persistent_workers

    @pytest.mark.parametrize(
        'wrap', [lambda d: ConcatDataset([d, d]), lambda d: RepeatDataset(d, 2), lambda d: d]
    )
    def test_whatever_wraps_the_data_set(self, wrap):
        """The seed goes to no pipeline, which could be the wrong one, but to the generators."""
        dataset = SeededDataset(wrap(ToyDataset()))
        one, two, other = (dataset[Place(5, 0, p, 3)]['inputs'] for p in (7, 7, 8))
        assert torch.equal(one, two)
        assert not torch.equal(one, other)

    def test_of_one_index_twice_in_an_epoch_differ(self):
        dataset = SeededDataset(ToyDataset())
        first, again = dataset.__getitems__([Place(5, 0, 0, 3), Place(5, 0, 1, 3)])
        assert not torch.equal(first['inputs'], again['inputs'])


class TestResumableLoader:
    def loader(self, **kwargs):
        return resumable_loader(DataLoader(list(range(7)), batch_size=2, **kwargs))

    def test_starts_anywhere_and_keeps_positions(self):
        loader = self.loader()
        whole = list(loader.batch_sampler)
        loader.batch_sampler.start = 2
        assert list(loader.batch_sampler) == whole[2:]
        assert [place.position for batch in whole for place in batch] == list(range(7))
        assert len(loader) == 4

    def test_skipped_samples_are_not_loaded(self):
        loaded: list[int] = []

        class Dataset(list):
            def __getitem__(self, index):
                loaded.append(index)
                return super().__getitem__(index)

        loader = resumable_loader(DataLoader(Dataset(range(7)), batch_size=2))
        loader.batch_sampler.start = 3
        assert [batch.tolist() for batch in loader] == [[6]]
        assert loaded == [6]

    def test_any_batch_sampler(self):
        batches = BatchSampler(SequentialSampler(range(7)), 3, drop_last=True)
        loader = resumable_loader(DataLoader(list(range(7)), batch_sampler=batches))
        assert [batch.tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5]]
        assert loader.batch_sampler.sampler is batches.sampler

    def test_keeps_the_settings(self):
        loader = self.loader(num_workers=1, persistent_workers=True, prefetch_factor=3, timeout=9)
        kept = (loader.num_workers, loader.persistent_workers, loader.prefetch_factor)
        assert (*kept, loader.timeout) == (1, True, 3, 9)

    def test_data_set_is_seen_through(self):
        dataset = SeededDataset(ToyDataset(num_identities=4))
        assert dataset.metainfo['num_identities'] == 4
        dataset.pipeline = 'another'
        assert dataset.dataset.pipeline == 'another'
        with pytest.raises(AttributeError):
            dataset.nothing  # noqa: B018

    def test_iterable_is_refused(self):
        class Stream(IterableDataset):
            def __iter__(self):
                return iter(())

        with pytest.raises(ConfigError, match='iterable'):
            resumable_loader(DataLoader(Stream(), batch_size=2))
