"""The model that an index was built with, from what the index says of it."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmclsa.engine.model_description import config_of_description, config_of_text
from mmclsa.errors import ConfigError
from mmclsa.gallery.building import BuildFile, QueryEmbedder
from mmclsa.inference.inferencer import PersonSearchInferencer
from mmclsa.utils.choices import NO_CHECKPOINT
from mmclsa.utils.trust import trusting_checkpoints
from mmclsa.utils.weight_places import restore_places

__all__ = ['embedder_of_index']


def embedder_of_index(
    index_path: str | Path,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    det_thresh: float | None = None,
    trust_checkpoint: bool = False,
) -> QueryEmbedder:
    """Load the model that an index was built with.

    Args:
        index_path: Folder of the index.
        config: Config in place of the one that the index has in it.
        checkpoint: Weights in place of those that it names; ``none`` for the
            model as the config initialises it.
        device: Such as ``cpu`` or ``cuda:0``; of PyTorch alone.
        det_thresh: Least score of a person; None for the one of the build.
        trust_checkpoint: Let the weights, and a config that an older mmclsa
            kept as Python text, run code of their author.

    Returns:
        A ``PersonSearchInferencer``, or an ``OnnxSearcher`` if exported graphs
        have built the index and no checkpoint is given.

    Raises:
        ConfigError: If the index does not say what built it, or the weights
            are no longer there, or either would run code.
    """
    build = BuildFile.read(index_path)
    if build is None:
        if config is None or checkpoint is None:
            raise ConfigError(
                f'the index {index_path} has no {BuildFile.NAME}, which would name its model: '
                f'give the config and the checkpoint ("{NO_CHECKPOINT}" where there is none)'
            )
        return PersonSearchInferencer(
            config, checkpoint, device, det_thresh, trust_checkpoint=trust_checkpoint
        )
    if checkpoint is None and build.checkpoint and not Path(build.checkpoint).exists():
        raise ConfigError(
            f'the weights {build.checkpoint} that the index {index_path} was built with are no '
            'longer there: give the checkpoint'
        )
    if det_thresh is None and build.commands:
        det_thresh = build.commands[-1].det_thresh
    if build.runtime == 'onnx' and checkpoint is None:
        from mmclsa.inference.onnx import OnnxSearcher

        return OnnxSearcher(build.checkpoint, det_thresh)
    weights = checkpoint or build.checkpoint
    with trusting_checkpoints(trust_checkpoint):
        model = config or _config_of(build, str(Path(index_path) / BuildFile.NAME))
        return PersonSearchInferencer(model, weights, device, det_thresh)


def _config_of(build: BuildFile, where: str) -> Config:
    if isinstance(build.embedder, str):
        return config_of_text(build.embedder, where)
    cfg = config_of_description(build.embedder, where)
    restore_places(cfg, build.weights, where)
    return cfg
