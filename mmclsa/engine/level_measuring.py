"""Measuring how the levels of a trained model agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmclsa.engine.bare_model import bare_model
from mmclsa.engine.failures import explain_failures
from mmclsa.engine.hardware import build_runner
from mmclsa.engine.hooks.record_levels import RecordLevelsHook
from mmclsa.engine.launch import check_load_from
from mmclsa.engine.stamps import stamp_of
from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import gallery_people
from mmclsa.evaluation.level_figures import LevelFigures, measure_levels
from mmclsa.evaluation.metrics import PersonSearchMetric
from mmclsa.evaluation.metrics.scene_results import collect_predictions, results_by_scene

__all__ = ['measure_model', 'stamp_of']


def measure_model(cfg: Config, checkpoint: str) -> LevelFigures:
    """Test a model once and compare its levels on the first protocol.

    The people whose predictions are compared are those of its galleries, and
    its queries. Nobody of them needs to be a training identity: a
    distribution needs no label.

    Args:
        cfg: Config of the test, with a ``work_dir`` for its log.
        checkpoint: The weights.

    Returns:
        The figures.

    Raises:
        UserError: If the config is not one of a person search, or the weights
            are not those of its model.
    """
    evaluator = cfg.get('test_evaluator') or {}
    if not isinstance(evaluator, dict) or evaluator.get('type') != 'PersonSearchMetric':
        raise ConfigError('levels are compared by a PersonSearchMetric as test_evaluator')
    cfg.test_evaluator.update(outfile=None, query_outfile=None)
    cfg.load_from, cfg.resume = checkpoint, False
    hook = RecordLevelsHook()
    runner = build_runner(cfg)
    check_load_from(runner.model, checkpoint, whole=True)
    runner.register_hook(hook)
    with explain_failures():
        runner.test()
    (metric,) = (m for m in runner.test_evaluator.metrics if isinstance(m, PersonSearchMetric))
    meta, flags = metric.dataset_meta, metric.flags[0]
    assert meta is not None  # the metric has looked at its protocols
    predictions = collect_predictions(
        results_by_scene(hook.results, meta['scenes']), meta['protocols']
    )
    protocol = meta['protocols'][0]
    logits = level_logits(
        bare_model(runner).reid.head, gallery_people(protocol, predictions, flags)
    )
    return measure_levels(protocol, predictions, logits, flags)


@torch.no_grad()
def level_logits(head: Any, embeddings: np.ndarray) -> list[np.ndarray]:
    """Let each level predict the identity.

    Args:
        head: A :class:`~mmclsa.models.MultiScaleReIDHead`.
        embeddings: Of all levels side by side, as they come out of the
            batch-norm neck, shape (N, levels * D).

    Returns:
        Logits over the training identities, (N, C) a level; without those of
        OIM's queue.
    """
    device = next(head.parameters()).device
    parts = torch.from_numpy(embeddings).to(device).chunk(head.num_levels, dim=1)
    logits = [loss.logits(part) for loss, part in zip(head.classifiers, parts)]
    return [level[:, : head.num_identities].float().cpu().numpy() for level in logits]
