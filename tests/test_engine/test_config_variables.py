"""Overrides of a config's own variables act wherever its files use them, or are refused."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction
from mmengine.runner import FlexibleRunner, Runner

from mmclsa.engine import load_config
from mmclsa.engine.config_variables import SETTINGS, files_read_once
from mmclsa.errors import ConfigError
from mmclsa.inference.config_and_weights import as_config
from tests.helpers import REPO

CUHK = str(REPO / 'configs' / 'clsa' / 'clsa_r50_cuhk.py')
HOLDOUT = str(
    REPO / 'configs' / 'clsa' / 'clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot-holdout.py'
)
MOT2PETS = str(REPO / 'configs' / 'clsa' / 'clsa_mbv2_mot2pets.py')
TINY = str(REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py')


def parsed(*words):
    """Parse words as the tools do."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def scales(loader):
    return [step['scale'] for step in loader.dataset.pipeline if 'scale' in step]


class TestVariable:
    def test_one_name_sets_all_that_uses_it(self):
        """Before, the head, the queue and both pipelines kept the values of the file."""
        words = ('num_identities=4', 'queue_size=7', 'image_scale=(300,180)', 'max_epochs=3')
        cfg = load_config(CUHK, parsed(*words))
        assert cfg.train_dataloader.dataset.num_identities == 4
        assert cfg.model.reid.head.num_identities == 4
        assert cfg.model.reid.head.loss_id.queue_size == 7
        for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            assert scales(cfg[name]) == [(300, 180)]
        assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].end) == (3, 3)
        assert (cfg.num_identities, cfg.queue_size, cfg.image_scale) == (4, 7, (300, 180))

    def test_nothing_else_changes(self):
        plain = Config.fromfile(CUHK).to_dict()
        cfg = load_config(CUHK, dict(queue_size=7)).to_dict()
        cfg['queue_size'] = plain['queue_size']
        cfg['model']['reid']['head']['loss_id']['queue_size'] = plain['queue_size']
        assert cfg == plain
        assert load_config(CUHK).to_dict() == plain
        assert load_config(CUHK, dict(queue_size=plain['queue_size'])).to_dict() == plain

    def test_a_part_of_a_variable(self):
        cfg = load_config(CUHK, parsed('train_pipeline.2.scale=(300,180)'))
        assert scales(cfg.train_dataloader) == [(300, 180)]
        assert scales(cfg.test_dataloader) == [(1500, 900)]

    def test_a_name_that_leaf_and_base_set(self):
        cfg = load_config(HOLDOUT, dict(num_identities=9, num_persons=3))
        assert cfg.train_dataloader.dataset.num_identities == 9
        assert cfg.model.reid.head.num_identities == 9
        assert cfg.train_dataloader.batch_size == 3 * cfg.num_instances
        assert cfg.train_dataloader.sampler.num_persons == 3

    def test_a_setting_has_the_last_word(self):
        words = ('num_identities=4', 'model.reid.head.num_identities=5')
        cfg = load_config(CUHK, parsed(*words))
        assert cfg.train_dataloader.dataset.num_identities == 4
        assert cfg.model.reid.head.num_identities == 5

    @pytest.mark.parametrize(
        'text',
        ['a = 1', 'a: int = 1', 'a = b = 1', 'a, c = 1, 2', 'a = 0\na += 1', 'if 1:\n  a = 1'],
    )
    def test_ways_to_set_one(self, tmp_path, text):
        (tmp_path / 'c.py').write_text(f'{text}\nmodel = dict(a=a)\n')
        assert load_config(str(tmp_path / 'c.py'), dict(a=5)).model.a == 5

    def test_computed_values_follow(self, tmp_path):
        (tmp_path / 'c.py').write_text(
            'def double(a):\n    b = 2 * a\n    return b\n'
            'a = 1\nb = a + 1\nmodel = dict(a=double(a), b=b)\n'
        )
        assert load_config(str(tmp_path / 'c.py'), dict(a=5)).model == dict(a=10, b=6)
        assert load_config(str(tmp_path / 'c.py'), dict(b=5)).model == dict(a=2, b=5)

    def test_in_the_dump(self, tmp_path):
        cfg = load_config(CUHK, parsed('image_scale=(300,180)', 'num_identities=4'))
        cfg.dump(tmp_path / 'dump.py')
        dumped = load_config(str(tmp_path / 'dump.py'))
        assert dumped.to_dict() == cfg.to_dict()
        assert dumped.image_scale == (300, 180)

    def test_the_interpreter_is_left_as_it_was(self):
        import mmengine.config.config as module

        before = module.RemoveAssignFromAST
        with pytest.raises(ConfigError):
            load_config(CUHK, {'num_identities.x': 3})
        assert module.RemoveAssignFromAST is before
        assert load_config(CUHK).num_identities == 5532


class TestLists:
    @pytest.mark.parametrize('text', ['(300,180)', '[300,180]', '300,180'])
    def test_take_the_type_of_what_they_replace(self, text):
        """A list as scale is a TypeError in mmdet.Resize."""
        cfg = load_config(CUHK, parsed(f'image_scale={text}', f'model.reid.roi_size={text}'))
        assert scales(cfg.train_dataloader) == [(300, 180)]
        assert cfg.model.reid.roi_size == (300, 180)

    def test_stay_lists_where_lists_were(self):
        key = 'model.detector.neck.in_channels'
        assert load_config(CUHK, {key: [1, 2]}).model.detector.neck.in_channels == [1, 2]


class TestRefused:
    @pytest.mark.parametrize(
        ('config', 'options', 'words'),
        [
            (CUHK, dict(image_scal=1), 'neither a setting.* did you mean image_scale?'),
            (CUHK, {'train_dataloder.batch_size': 1}, 'did you mean train_dataloader?'),
            (CUHK, dict(zzz=1), 'zzz is neither a setting of MMEngine nor a variable of'),
            (HOLDOUT, dict(sequences=['a']), 'sequences has no effect'),
            (CUHK, {'num_identities.a': 1}, 'do not fit'),
            (CUHK, {'train_pipeline.9.scale': 1}, 'do not fit'),
            (CUHK, {'model.detector.neck.num_outs.a': 1}, 'do not fit'),
        ],
    )
    def test_without_effect(self, config, options, words):
        with pytest.raises(ConfigError, match=words):
            load_config(config, options)

    def test_a_dumped_config_has_no_variables(self, tmp_path):
        load_config(CUHK).dump(tmp_path / 'dump.py')
        with pytest.raises(ConfigError, match='num_identities has no effect'):
            load_config(str(tmp_path / 'dump.py'), dict(num_identities=4))

    def test_what_cannot_be_followed(self, tmp_path):
        (tmp_path / 'c.py').write_text('for a in [1]:\n    pass\nmodel = dict(a=a)\n')
        with pytest.raises(ConfigError, match='does not set it by an assignment'):
            load_config(str(tmp_path / 'c.py'), dict(a=5))

    def test_a_value_that_the_file_cannot_compute_with(self, tmp_path):
        (tmp_path / 'c.py').write_text('a = 1\nmodel = dict(a=a + 1)\n')
        with pytest.raises(ConfigError, match='--cfg-options do not fit'):
            load_config(str(tmp_path / 'c.py'), dict(a='x'))


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ('text', 'words'),
        [
            (
                "custom_imports = dict(imports=['no_such_module'])",
                "No module named 'no_such_module'",
            ),
            ("custom_imports = dict(imports=['of_mine'])", "No module named 'no_such_package'"),
            ("custom_imports = dict(imports=['broken'])", 'AttributeError: .* no attribute'),
            ("custom_imports = dict(imports='of_mine', no_such=1)", 'TypeError: .*no_such'),
            ('a = 1 / 0', 'ZeroDivisionError: division by zero'),
            ('a = ', 'SyntaxError: invalid syntax'),
        ],
    )
    def test_is_a_sentence(self, tmp_path, monkeypatch, text, words):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / 'of_mine.py').write_text('import no_such_package')
        (tmp_path / 'broken.py').write_text('import os; os.no_such_name')
        (tmp_path / 'c.py').write_text(text)
        with pytest.raises(ConfigError, match=rf'c\.py cannot be read[^\n]*{words}'):
            load_config(str(tmp_path / 'c.py'))


class TestSettings:
    def test_new_ones_are_accepted(self):
        options = {
            'find_unused_parameters': True,
            'auto_scale_lr.base_batch_size': 16,
            'model.reid.head.feature': 'source',
            'work_dir': 'x',
        }
        cfg = load_config(TINY, options)
        assert cfg.find_unused_parameters
        assert cfg.auto_scale_lr.base_batch_size == 16
        assert cfg.model.reid.head.feature == 'source'

    def test_one_that_another_copies_does_not_change_the_other(self):
        """As in MMDetection: test_dataloader = val_dataloader is written in the base."""
        cfg = load_config(CUHK, {'val_dataloader.batch_size': 3})
        assert (cfg.val_dataloader.batch_size, cfg.test_dataloader.batch_size) == (3, 1)

    @pytest.mark.parametrize('runner', [Runner, FlexibleRunner])
    def test_all_that_a_runner_takes(self, runner):
        taken = set(inspect.signature(runner.__init__).parameters) - {'self', 'cfg'}
        assert taken <= SETTINGS


@pytest.mark.parametrize('path', [CUHK, MOT2PETS])
def test_every_variable_acts(path):
    """Or is one that nothing uses, which is then refused."""
    plain = Config.fromfile(path)
    before = plain.to_dict()
    acting, idle = set(), set()
    for name in set(plain) - SETTINGS:
        value = plain[name]
        # Something else of the same type.
        other = value + 1 if isinstance(value, (int, float)) else value * 2
        if name == 'backbone':  # one of a few
            other = 'resnet18'
        try:
            cfg = load_config(path, {name: other}).to_dict()
        except ConfigError:
            idle.add(name)
        else:
            acting.add(name)
            assert {**cfg, name: before[name]} != before, name
    assert acting >= {'max_epochs', 'num_identities', 'data_root'}
    assert idle <= {'queue_size'}, 'a linear classifier has no queue'


class TestFilesReadOnce:
    @pytest.fixture
    def reads(self, monkeypatch):
        paths, read = [], Config.fromfile
        monkeypatch.setattr(Config, 'fromfile', lambda path: paths.append(path) or read(path))
        return paths

    def test_same_configs_in_fewer_reads(self, reads):
        options = [{'max_epochs': n, 'image_scale': (300, 180)} for n in (3, 4)]
        options += [{'max_epochs': 3, 'image_scale': (300, 180), 'randomness.seed': 8}, {}]
        alone = [load_config(CUHK, of_run).to_dict() for of_run in options]
        several = len(reads)
        reads.clear()
        with files_read_once():
            assert [load_config(CUHK, of_run).to_dict() for of_run in options] == alone
            # The file itself, and for two values: with both, without the one, without the other.
            assert len(reads) == 1 + 2 * 3 < several
            load_config(CUHK, options[0]).model.reid.clear()
            with files_read_once():
                assert load_config(CUHK, options[0]).to_dict() == alone[0], 'a copy'
            with pytest.raises(ConfigError, match='no_such'):
                load_config(CUHK, {'no_such': 3})

    def test_a_file_that_changes_is_read_again_afterwards(self, tmp_path):
        path = tmp_path / 'config.py'
        path.write_text('work_dir = "a"')
        with files_read_once():
            assert load_config(str(path)).work_dir == 'a'
            path.write_text('work_dir = "b"')
            assert load_config(str(path)).work_dir == 'a'
        assert load_config(str(path)).work_dir == 'b'


def test_where_weights_lie(monkeypatch):
    """With a slash at the end of the folder or without."""
    for folder in ('/big', '/big/'):
        monkeypatch.setenv('MMCLSA_WEIGHTS', folder)
        model = load_config(MOT2PETS, dict(reid_weights='b.pth')).model
        assert Path(model.detector.init_cfg.checkpoint) == Path('/big/yolox_nano_coco.pth')
        assert model.reid.backbone.init_cfg.checkpoint == 'b.pth'
        scenes = load_config(
            str(Path(MOT2PETS).with_name('clsa_faster-rcnn_mobilenetv2_1xb2-20e_mot2pets.py'))
        ).model
        weights = Path(scenes.detector.backbone.init_cfg.checkpoint)
        assert weights == Path('/big/mobilenet_v2_imagenet.pth')


def test_the_inferencer_reads_configs_alike():
    assert as_config(CUHK, None).to_dict() == load_config(CUHK).to_dict()
