"""What ``tools/test.py --tta`` changes in a config."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict

from mmclsa.engine.inference_pipeline import PICTURE_LOADERS, bare_type
from mmclsa.errors import ConfigError

__all__ = ['flipped_pipeline', 'set_tta']

_FLIP_KEYS = ('flip', 'flip_direction', 'ori_shape')


def set_tta(cfg: Config) -> None:
    """Let a config's model be tested on several versions of each picture.

    As in MMDetection, ``tta_model`` and ``tta_pipeline`` of the config say how;
    without them each picture is looked at as it is and mirrored.

    Args:
        cfg: Config; its ``model`` and the pipelines of its ``test_dataloader``
            are changed.

    Raises:
        ConfigError: If the config has no test pipeline, or it or ``tta_model``
            cannot be used.
    """
    searches = 'reid' in (cfg.get('model') or {})
    own = 'PersonSearchTTAModel' if searches else 'mmdet.DetTTAModel'
    merging = dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
    model = dict(cfg.get('tta_model') or dict(type=own, tta_cfg=merging))
    if searches and bare_type(model) == 'DetTTAModel':
        raise ConfigError(
            f'tta_model.type must be PersonSearchTTAModel, but is {model["type"]}, which drops '
            'the embeddings of a PersonSearcher'
        )
    datasets = list(_with_pipeline((cfg.get('test_dataloader') or {}).get('dataset')))
    if not datasets:
        raise ConfigError('--tta needs a pipeline in test_dataloader.dataset, but there is none')
    for dataset in datasets:
        given = cfg.get('tta_pipeline')
        pipeline = copy.deepcopy(given) if given else flipped_pipeline(dataset['pipeline'])
        _tell_flips(pipeline)
        dataset['pipeline'] = pipeline
    cfg.model = ConfigDict(model, module=cfg.model)


def flipped_pipeline(pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make a test pipeline that gives each picture as it is and mirrored.

    The picture is flipped before anything else is done with it, and boxes are
    loaded after, so that they stay those of the picture in its file.

    Args:
        pipeline: Configs of transforms, the first of which loads the picture.

    Returns:
        The loader, and MMCV's ``TestTimeAug`` of all else.

    Raises:
        ConfigError: If the first transform does not load the picture.

    Example:
        >>> load, pack = dict(type='LoadSceneImage'), dict(type='PackPersonSearchInputs')
        >>> augmented = flipped_pipeline([load, pack])[1]
        >>> augmented['type'], [len(ways) for ways in augmented['transforms']]
        ('TestTimeAug', [2, 1])
    """
    first = bare_type(pipeline[0]) if pipeline else 'nothing'
    if first not in PICTURE_LOADERS:
        raise ConfigError(
            f'--tta needs a test pipeline that begins with one of {", ".join(PICTURE_LOADERS)}, '
            f'but it begins with {first}: set tta_pipeline'
        )
    ways = [dict(type='mmdet.RandomFlip', prob=prob) for prob in (0.0, 1.0)]
    rest = [[copy.deepcopy(step)] for step in pipeline[1:]]
    return [copy.deepcopy(pipeline[0]), dict(type='TestTimeAug', transforms=[ways, *rest])]


def _tell_flips(steps: Any) -> None:
    """Let samples say whether their picture is flipped, also where a config lists what they say.

    Without it nothing would be flipped back, and nobody would be told.
    """
    if isinstance(steps, (list, tuple)):
        for step in steps:
            _tell_flips(step)
    elif isinstance(steps, dict):
        _tell_flips(steps.get('transforms'))
        if steps.get('meta_keys') is not None:
            steps['meta_keys'] = tuple(dict.fromkeys((*steps['meta_keys'], *_FLIP_KEYS)))


def _with_pipeline(dataset: Any) -> Iterator[dict[str, Any]]:
    """List a data set's config, or those within it, that have a pipeline."""
    if not isinstance(dataset, dict):
        return
    if 'pipeline' in dataset:
        yield dataset
    within = dataset.get('datasets') or [dataset.get('dataset')]
    for part in within:
        yield from _with_pipeline(part)
