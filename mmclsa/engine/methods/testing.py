"""Testing the runs of a method, each once."""

from __future__ import annotations

import copy
from pathlib import Path

from mmengine.config import Config

from mmclsa.engine.bare_model import bare_model
from mmclsa.engine.failures import explain_failures
from mmclsa.engine.hardware import build_runner
from mmclsa.engine.inference_pipeline import configured_metric
from mmclsa.engine.launch import check_load_from, check_pretrained
from mmclsa.engine.methods.entries import MethodRun
from mmclsa.utils.io import atomic_write

__all__ = ['predict_test_set']

PREDICTIONS, STAMP = 'predictions.npz', 'stamp.txt'


def predict_test_set(run: MethodRun, folder: str | Path) -> Path:
    """Predict the test set as ``tools/test.py --out`` does, unless that is done.

    Args:
        run: The run.
        folder: Keeps the predictions, with a stamp of config and weights.

    Returns:
        Path of ``predictions.npz``; that of the run itself where its
        predictions are given.

    Raises:
        UserError: If the weights are not those of the config's model.
    """
    if run.is_predicted:
        return Path(run.weights)
    folder = Path(folder)
    kept, stamp = folder / PREDICTIONS, folder / STAMP
    if kept.is_file() and stamp.is_file() and stamp.read_text().strip() == run.stamp:
        return kept
    # In this order, so that no stamp ever stands beside predictions of others.
    stamp.unlink(missing_ok=True)
    _test(run, kept, folder)
    with atomic_write(stamp) as temporary:
        temporary.write_text(run.stamp + '\n')
    return kept


def _test(run: MethodRun, outfile: Path, folder: Path) -> None:
    cfg = Config(copy.deepcopy(run.cfg.to_dict()))
    metric = configured_metric(cfg)
    assert metric is not None  # read_methods has looked
    metric.update(outfile=str(outfile), query_outfile=None)
    cfg.work_dir, cfg.resume, cfg.load_from = str(folder), False, run.weights or None
    # MMEngine tells the runs of a process apart by these names.
    cfg.experiment_name = '_'.join(folder.parts[-2:])
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name
    if not run.weights:
        check_pretrained(cfg.get('model'))
    runner = build_runner(cfg)
    check_load_from(runner.model, run.weights, whole=True)
    if not run.weights:
        bare_model(runner).init_weights()
    with explain_failures():
        runner.test()
