"""The data set of one split of a config, for tools that write it in another form."""

from __future__ import annotations

from typing import Any

from mmengine.registry import init_default_scope

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.transforms import LoadSceneImage
from mmclsa.datasets.verify import find_datasets
from mmclsa.engine.launch import load_config
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS

__all__ = ['build_split']


def build_split(
    config: str, split: str, options: dict[str, Any] | None = None
) -> BasePersonSearchDataset:
    """Build the scenes of a split, with a pipeline that loads their pictures alone.

    Args:
        config: Config file.
        split: ``train``, ``val``, ``test``, or a name that
            ``tools/misc/verify_dataset.py`` shows.
        options: Overrides of the config; see :func:`load_config`.

    Returns:
        The data set; its items have the picture as ``img``.

    Raises:
        ConfigError: If the config has no such split.
        DataError: If the data set is broken.
    """
    datasets = find_datasets(load_config(config, options))
    if split not in datasets:
        raise ConfigError(
            f'--split must be one of {", ".join(datasets) or "none"} for {config}, not {split!r}'
        )
    init_default_scope('mmclsa')
    # Every scene is an item, also one that training leaves out.
    chosen = {name: value for name, value in datasets[split].items() if name != 'filter_cfg'}
    return DATASETS.build({'pipeline': [LoadSceneImage()], **chosen})
