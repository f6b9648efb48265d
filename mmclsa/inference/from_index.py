"""The model that an index was built with, from what the index says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclsa.errors import ConfigError
from mmclsa.gallery.building import BuildFile, QueryEmbedder
from mmclsa.utils.choices import NO_CHECKPOINT
from mmclsa.utils.gallery_options import check_model_options
from mmclsa.utils.trust import trusting_checkpoints
from mmclsa.utils.weight_places import restore_places

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['embedder_of_index']


def embedder_of_index(
    index_path: str | Path,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    det_thresh: float | None = None,
    trust_checkpoint: bool = False,
    onnx: str | Path | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> QueryEmbedder:
    """Load the model that an index was built with.

    Neither PyTorch nor OpenMMLab is imported where exported graphs do the work.

    Args:
        index_path: Folder of the index.
        config: Config in place of the one that the index has in it.
        checkpoint: Weights in place of those that it names; ``none`` for the
            model as the config initialises it.
        device: Such as ``cpu`` or ``cuda:0``; of PyTorch alone.
        det_thresh: Least score of a person; None for the one of the build.
        trust_checkpoint: Let the weights, and a config that an older mmclsa
            kept as Python text, run code of their author.
        onnx: Folder of exported graphs of the same model, in place of config,
            checkpoint and device.
        cfg_options: Overrides of the config that is given: dotted key to value.

    Returns:
        A ``PersonSearchInferencer``, or an ``OnnxSearcher`` if exported graphs
        are given, or have built the index and no checkpoint is given.

    Raises:
        ConfigError: If the index does not say what built it, or the weights
            are no longer there, or either would run code; or if the model is
            of PyTorch, and this or OpenMMLab is not installed.
    """
    check_model_options(config, checkpoint, device, onnx, cfg_options)
    given = _overridden(config, cfg_options) if config and cfg_options else config
    build = BuildFile.read(index_path)
    if det_thresh is None and build is not None and build.commands:
        det_thresh = build.commands[-1].det_thresh
    if onnx is not None:
        return _exported(onnx, det_thresh)
    if build is None:
        if config is None or checkpoint is None:
            raise ConfigError(
                f'the index {index_path} has no {BuildFile.NAME}, which would name its model: '
                f'give the config and the checkpoint ("{NO_CHECKPOINT}" where there is none), or '
                'exported graphs'
            )
        with trusting_checkpoints(trust_checkpoint):
            return _inferencer(given, checkpoint, device, det_thresh)
    if checkpoint is None and build.checkpoint and not Path(build.checkpoint).exists():
        raise ConfigError(
            f'the weights {build.checkpoint} that the index {index_path} was built with are no '
            'longer there: give the checkpoint'
        )
    if build.runtime == 'onnx' and checkpoint is None:
        if config is not None or device is not None:
            raise ConfigError(
                f'exported graphs have built the index {index_path}: --config and --device are of '
                'PyTorch, and need --checkpoint'
            )
        return _exported(build.checkpoint, det_thresh)
    weights = checkpoint or build.checkpoint
    with trusting_checkpoints(trust_checkpoint):
        model = given or _config_of(build, str(Path(index_path) / BuildFile.NAME))
        return _inferencer(model, weights, device, det_thresh)


def _exported(folder: str | Path, det_thresh: float | None) -> QueryEmbedder:
    from mmclsa.inference.onnx import OnnxSearcher

    return OnnxSearcher(folder, det_thresh)


def _inferencer(*args: Any) -> QueryEmbedder:
    with _frameworks():
        from mmclsa.inference.inferencer import PersonSearchInferencer
    return PersonSearchInferencer(*args)


@contextmanager
def _frameworks() -> Iterator[None]:
    """Say in a sentence what to do where what a model of PyTorch needs is not installed."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            'the model of the index is run by PyTorch and MMDetection, which cannot be imported '
            f'({error}): export it where they are (tools/deployment/export_onnx.py), and give the '
            'exported folder (--onnx, in Python an OnnxSearcher)'
        ) from error


def _overridden(config: str | Path, cfg_options: Mapping[str, Any]) -> Config:
    with _frameworks():
        from mmclsa.engine import load_config
        from mmclsa.inference.model_names import find_config
    return load_config(find_config(config), dict(cfg_options))


def _config_of(build: BuildFile, where: str) -> Config:
    with _frameworks():
        from mmclsa.engine.model_description import config_of_description, config_of_text
    if not build.embedder:
        raise ConfigError(
            f'{where} has no config in it, as exported graphs alone have built the index: give the '
            'config with the checkpoint'
        )
    if isinstance(build.embedder, str):
        return config_of_text(build.embedder, where)
    cfg = config_of_description(build.embedder, where)
    restore_places(cfg, build.weights, where)
    return cfg
