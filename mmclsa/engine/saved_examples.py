"""Queries to look at, of predictions that a test has saved."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from mmengine.registry import init_default_scope

from mmclsa.engine.inference_pipeline import configured_flags
from mmclsa.engine.launch import load_config
from mmclsa.errors import ConfigError
from mmclsa.evaluation.examples import SearchExamples, choose_examples
from mmclsa.registry import DATASETS
from mmclsa.visualization.ranking import choose_protocol

__all__ = ['load_examples']


def load_examples(
    args: argparse.Namespace, load_predictions: Callable[[str], Any]
) -> tuple[SearchExamples, Any]:
    """Load saved predictions, and choose queries of the test set of a config.

    Args:
        args: The command line of ``show_ranks.py`` and ``report_queries.py``:
            ``config``, ``cfg_options``, ``predictions``, ``protocol``,
            ``det_thresh``, ``num``, ``which`` and ``seed``.
        load_predictions: Loads :class:`~mmclsa.structures.Predictions`.

    Returns:
        The queries with their ranked results, and the data set.

    Raises:
        ConfigError: If the config has no test set or no such protocol.
        UserError: If an option is out of range or the predictions do not fit.
    """
    cfg = load_config(args.config, args.cfg_options)
    if not cfg.get('test_dataloader'):
        raise ConfigError(f'config {args.config} has no test_dataloader')
    predictions = load_predictions(args.predictions)
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    protocol = choose_protocol(dataset.protocols, args.protocol)
    flags = configured_flags(cfg, args.det_thresh)
    return choose_examples(predictions, protocol, flags, args.num, args.which, args.seed), dataset
