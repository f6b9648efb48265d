"""What a training run has left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmclsa.datasets.readers.json_file import load_json
from mmclsa.engine.ablation.run import RESULT, WORK
from mmclsa.engine.launch import load_config
from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.checkpoint import latest_checkpoint

__all__ = ['TrainedRun', 'find_run']


@dataclass(frozen=True)
class TrainedRun:
    """A trained model, and how to read it.

    Attributes:
        row: Name of its setting.
        seed: Of the training.
        config: Path of its config.
        checkpoint: Path of its weights.
    """

    row: str
    seed: int
    config: str
    checkpoint: str

    @property
    def name(self) -> str:
        """Name of the run, as the folders of a grid have it."""
        return f'{self.row}/seed_{self.seed}'


def find_run(folder: str | Path) -> TrainedRun | None:
    """Look into the folder of a run.

    Args:
        folder: One of those that ``run_ablation.py`` leaves (``row/seed_0``),
            or a work dir of ``tools/train.py``; then the row is named after
            the folder.

    Returns:
        The run; None if it has no weights of a finished training, as a run of
        a grid that tests another one's.

    Raises:
        ConfigError: If it is no such folder.
        DataError: If ``result.json`` is broken.
    """
    folder = Path(folder)
    configs = sorted(folder.glob('*.py'))
    if len(configs) != 1:
        raise ConfigError(
            f'the run {folder} must be a folder with one config (*.py), but has {len(configs)}'
        )
    config = str(configs[0])
    if not any((place / 'last_checkpoint').is_file() for place in (folder, folder / WORK)):
        return None
    if (folder / RESULT).is_file():
        result, weights = load_json(folder / RESULT), latest_checkpoint(folder / WORK)
        if not isinstance(result, dict) or not {'row', 'seed'} <= result.keys():
            raise DataError(f'{folder / RESULT} must have the fields row and seed')
        return TrainedRun(str(result['row']), int(result['seed']), config, weights)
    if not (folder / 'last_checkpoint').is_file():
        return None
    seed = (load_config(config).get('randomness') or {}).get('seed') or 0
    return TrainedRun(folder.resolve().name, int(seed), config, latest_checkpoint(folder))
