"""What a command line names to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmclsa.engine.ablation.grid import check_folder_name
from mmclsa.engine.config_variables import files_read_once
from mmclsa.engine.inference_pipeline import configured_metric
from mmclsa.engine.launch import load_config
from mmclsa.engine.stamps import stamp_of
from mmclsa.engine.trained_run import find_run
from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import is_url

__all__ = ['Method', 'MethodRun', 'read_methods']

# What of a config has no say in what its model predicts: places, and how predictions are counted.
_NOT_PREDICTED_BY = ('work_dir', 'load_from', 'test_evaluator', 'val_evaluator')


@dataclass(frozen=True)
class MethodRun:
    """One training of a method, or what was predicted after it.

    Attributes:
        cfg: Config of its test, with all overrides.
        weights: Path of the checkpoint, or of ``predictions.npz``; empty for a
            model whose config says where its weights are.
        seed: Number that pairs it with the runs of other methods.
    """

    cfg: Config
    weights: str
    seed: int

    @property
    def is_predicted(self) -> bool:
        """Whether the predictions are given, so that there is no network to run."""
        return self.weights.endswith('.npz')

    @property
    def stamp(self) -> str:
        """A text that changes when what predicts does."""
        return stamp_of(self.cfg, self.weights, _NOT_PREDICTED_BY)


@dataclass(frozen=True)
class Method:
    """A method: one config, trained once or several times.

    Attributes:
        name: Of the row, and of a folder.
        config: Where the config is from.
        runs: One at least.
    """

    name: str
    config: str
    runs: tuple[MethodRun, ...]

    @property
    def cfg(self) -> Config:
        """The config of the first run."""
        return self.runs[0].cfg


def read_methods(
    entries: Sequence[Sequence[str]],
    options: Mapping[str, Any],
    own_options: Mapping[str, Mapping[str, Any]],
) -> list[Method]:
    """Read all configs and look for all weights before anything is run.

    Args:
        entries: For each method its name, and then either a config and any
            number of checkpoints or ``predictions.npz``, or folders of runs
            (see :func:`~mmclsa.engine.trained_run.find_run`). Checkpoints are
            numbered 0, 1, ...; folders of runs have their seed.
        options: Overrides of all configs, as ``--cfg-options`` gives them.
        own_options: Overrides of the configs of single methods, by name.

    Returns:
        The methods, in that order.

    Raises:
        ConfigError: If a name is taken twice or is none for a folder, or a
            config or a file is not there.
    """
    names = [entry[0] for entry in entries]
    for name in names:
        check_folder_name(name, 'a --method')
        if names.count(name) > 1:
            raise ConfigError(f'--method {name} is there twice: give each method a name of its own')
    for name in own_options:
        if name not in names:
            raise ConfigError(f'--method-options names {name!r}, but --method has {names}')
    with files_read_once():
        return [_method(entry, {**options, **own_options.get(entry[0], {})}) for entry in entries]


def _method(entry: Sequence[str], options: Mapping[str, Any]) -> Method:
    name, *words = entry
    if not words:
        raise ConfigError(
            f'--method {name} needs a config and checkpoints, or folders of finished runs'
        )
    if Path(words[0]).is_dir():
        found = [_folder(name, word) for word in words]
    else:
        found = [(words[0], weights, seed) for seed, weights in enumerate(words[1:] or [''])]
    seeds = [seed for _, _, seed in found]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f'--method {name} has two runs of one seed: {seeds}')
    for _, weights, _ in found:
        if weights and not is_url(weights) and not Path(weights).is_file():
            raise ConfigError(f'the weights {weights} of the method {name} do not exist')
    runs = [
        MethodRun(_test_config(name, config, options), weights, seed)
        for config, weights, seed in found
    ]
    return Method(name, found[0][0], tuple(runs))


def _folder(name: str, folder: str) -> tuple[str, str, int]:
    run = find_run(folder)
    if run is None:
        raise ConfigError(f'{folder} of the method {name} has no weights of a finished training')
    return run.config, run.checkpoint, run.seed


def _test_config(name: str, config: str, options: Mapping[str, Any]) -> Config:
    cfg = load_config(config, dict(options))
    if not cfg.get('test_dataloader') or configured_metric(cfg) is None:
        raise ConfigError(
            f'the config {config} of the method {name} needs a test_dataloader and a '
            'PersonSearchMetric as test_evaluator'
        )
    return cfg
