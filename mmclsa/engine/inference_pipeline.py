"""What of a config's test settings an image alone goes through."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import SearchFlags, flags_of_metric

__all__ = [
    'PICTURE_LOADERS',
    'bare_type',
    'configured_flags',
    'configured_metric',
    'inference_pipeline',
    'limit_scores',
]

#: Transforms that a test pipeline may begin with.
PICTURE_LOADERS = ('LoadSceneImage', 'LoadImageFromFile', 'LoadImageFromNDArray')
_ANNOTATIONS = ('LoadPersonAnnotations', 'LoadAnnotations')


def inference_pipeline(cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Take the test pipeline of a config for pictures without annotations.

    What loads annotations is left out, and so are random steps, which a test
    may use to make its pictures harder: a picture has one description.

    Args:
        cfg: A config with a ``test_dataloader``.

    Returns:
        Configs of transforms; the first takes the decoded picture from ``img``.

    Raises:
        ConfigError: If the config has no test pipeline, or one that loads no
            picture.

    Example:
        >>> load, pack = dict(type='LoadSceneImage'), dict(type='PackPersonSearchInputs')
        >>> steps = [load, dict(type='LoadPersonAnnotations'), pack]
        >>> cfg = dict(test_dataloader=dict(dataset=dict(pipeline=steps)))
        >>> [step['type'] for step in inference_pipeline(cfg)]
        ['LoadSceneImage', 'PackPersonSearchInputs']
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and ('dataset' in dataset or 'datasets' in dataset):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    steps = copy.deepcopy(list(dataset.get('pipeline') or []))
    kept = [
        step
        for step in steps
        if bare_type(step) not in _ANNOTATIONS and not bare_type(step).startswith('Random')
    ]
    if not kept or bare_type(kept[0]) not in PICTURE_LOADERS:
        raise ConfigError(
            'test_dataloader.dataset.pipeline of the config must begin with LoadSceneImage, but '
            f'begins with {bare_type(kept[0]) if kept else "nothing"}'
        )
    first = dict(type='LoadSceneImage', to_float32=kept[0].get('to_float32', False))
    return [first, *kept[1:]]


def limit_scores(test_cfg: Any, det_thresh: float) -> None:
    """Let a detector drop early what would be dropped anyway.

    Detections below the threshold then cost no embedding. Suppression goes
    from the highest score down, so those above stay what they were.

    Args:
        test_cfg: The detector's; every ``score_thr`` in it is raised, in place.
        det_thresh: New least score.

    Example:
        >>> cfg = dict(rcnn=dict(score_thr=0.05), rpn=dict(max_per_img=9))
        >>> limit_scores(cfg, 0.5)
        >>> cfg
        {'rcnn': {'score_thr': 0.5}, 'rpn': {'max_per_img': 9}}
    """
    if not isinstance(test_cfg, dict):
        return
    for key, value in test_cfg.items():
        if key == 'score_thr' and isinstance(value, (int, float)):
            test_cfg[key] = max(value, det_thresh)
        else:
            limit_scores(value, det_thresh)


def configured_metric(cfg: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the first ``PersonSearchMetric`` of a config's ``test_evaluator``.

    Args:
        cfg: The config.

    Returns:
        The metric's own config, which may be changed; None if there is none.

    Example:
        >>> metrics = [dict(type='CocoMetric'), dict(type='PersonSearchMetric', preset='gfn')]
        >>> configured_metric(dict(test_evaluator=metrics))['preset']
        'gfn'
    """
    evaluators = cfg.get('test_evaluator') or []
    for evaluator in [evaluators] if isinstance(evaluators, dict) else evaluators:
        # What describes a model has the threshold alone.
        if evaluator.get('type', 'PersonSearchMetric') == 'PersonSearchMetric':
            return evaluator
    return None


def configured_flags(cfg: Mapping[str, Any], det_thresh: float | None = None) -> SearchFlags:
    """Say how a config's metric searches.

    Args:
        cfg: The config.
        det_thresh: Detection threshold in place of the metric's; None for its
            own.

    Returns:
        The flags of the ``PersonSearchMetric`` of its ``test_evaluator``, the
        first where it has several thresholds; the defaults if there is none.

    Raises:
        ConfigError: If the metric's flags are not right.

    Example:
        >>> metric = dict(type='PersonSearchMetric', det_thresh=[0.3, 0.5])
        >>> configured_flags(dict(test_evaluator=metric)).det_thresh
        0.3
    """
    changed: dict[str, Any] = {} if det_thresh is None else dict(det_thresh=det_thresh)
    metric = configured_metric(cfg)
    return SearchFlags(**changed) if metric is None else flags_of_metric({**metric, **changed})[0]


def bare_type(step: Mapping[str, Any]) -> str:
    """Give the name of a config's class without its scope.

    Example:
        >>> bare_type(dict(type='mmdet.Resize'))
        'Resize'
    """
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
