"""Every config loads, builds its model, and is the same after dump and reload."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmclsa.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from tests.helpers import REPO

# Without short names of other configs, which test_config_names.py compares with them.
LEAVES = sorted(
    path.relative_to(REPO).as_posix()
    for path in (REPO / 'configs').rglob('*.py')
    if '_base_' not in path.parts and len(ast.parse(path.read_text()).body) > 1
)
BASES = sorted(
    path.relative_to(REPO).as_posix() for path in (REPO / 'configs' / '_base_').rglob('*.py')
)
PARTS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def without_weights(cfg):
    """Drop every init_cfg that loads a file, at any depth."""
    if isinstance(cfg, dict):
        return {
            key: without_weights(value)
            for key, value in cfg.items()
            if not (key == 'init_cfg' and isinstance(value, dict) and 'checkpoint' in value)
        }
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(without_weights(value) for value in cfg)
    return cfg


def typed(cfg):
    """Yield every dict with a type, at any depth."""
    if isinstance(cfg, dict):
        if 'type' in cfg:
            yield cfg
        for value in cfg.values():
            yield from typed(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from typed(value)


def test_there_are_configs():
    assert 'configs/clsa/clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu.py' in LEAVES


@pytest.mark.parametrize('path', LEAVES)
class TestLeaf:
    def test_builds_its_model(self, path):
        cfg = Config.fromfile(REPO / path)
        init_default_scope(cfg.default_scope)
        model = MODELS.build(ConfigDict(without_weights(cfg.model.to_dict())))
        assert any(parameter.requires_grad for parameter in model.parameters())

    def test_dump_and_reload(self, path, tmp_path):
        cfg = Config.fromfile(REPO / path)
        copy = tmp_path / 'dumped.py'
        cfg.dump(copy)
        assert Config.fromfile(copy).to_dict() == cfg.to_dict()

    def test_names_are_registered(self, path):
        """A data set cannot be built without its files, but its name can be looked up."""
        cfg = Config.fromfile(REPO / path)
        init_default_scope(cfg.default_scope)
        loaders = [cfg[part].to_dict() for part in PARTS if cfg[part] is not None]
        assert bool(cfg.train_dataloader) == bool(cfg.train_cfg)
        assert cfg.test_dataloader
        for loader in loaders:
            assert DATA_SAMPLERS.get(loader['sampler']['type']) is not None
            for found in typed(loader['dataset']):
                name = found['type']
                assert DATASETS.get(name) or TRANSFORMS.get(name), name
        for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
            assert HOOKS.get(hook['type']) is not None, hook
        metrics = list(typed([cfg.val_evaluator, cfg.test_evaluator]))
        assert metrics
        for metric in metrics:
            assert METRICS.get(metric['type']) is not None, metric

    def test_validation_is_whole_or_absent(self, path):
        cfg = Config.fromfile(REPO / path)
        parts = [cfg[name] for name in ('val_cfg', 'val_dataloader', 'val_evaluator')]
        assert all(part is None for part in parts) or all(parts)

    def test_identities_are_those_of_the_data_set(self, path):
        cfg = Config.fromfile(REPO / path)
        if 'num_identities' not in cfg or 'reid' not in cfg.model:
            pytest.skip('the config has no num_identities of its own, or no re-ID branch')
        assert cfg.model.reid.head.num_identities == cfg.num_identities

    def test_holds_only_its_difference(self, path):
        assert len((REPO / path).read_text().splitlines()) <= 60
        assert '_base_' in (REPO / path).read_text()


@pytest.mark.parametrize('path', [*LEAVES, *BASES])
def test_no_path_of_one_machine(path):
    for node in ast.walk(ast.parse((REPO / path).read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not Path(node.value).is_absolute(), node.value
