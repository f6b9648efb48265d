"""Turning a checkpoint of another code base into one of a config here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from mmclsa.utils.checkpoint import check_whole
from mmclsa.utils.converting import Rule, read_weights, rename_tensors, save_weights
from mmclsa.utils.trust import trust_checkpoints

__all__ = ['convert_checkpoint', 'run_converter']

_TABLE = 'id_losses.0.memory.table'
_QUEUE = 'id_losses.0.memory.queue'
# Some authors have no bias here.
_BIAS = 'reid.head.projections.0.linear.bias'


def convert_checkpoint(
    path: str | Path, out: str | Path, rules: Sequence[Rule], config: str | Path, kind: str
) -> int:
    """Convert a checkpoint with an OIM memory, and make sure that nothing is missing.

    Args:
        path: The other code's file.
        out: The file to write.
        rules: What its tensors are called here.
        config: Config of the model, without ``num_identities`` and
            ``queue_size``: those of the file are taken.
        kind: Whose checkpoint it should be, for messages.

    Returns:
        Number of tensors written.

    Raises:
        ConfigError: If the file is broken or of another model, or has too few
            tensors or too many.
    """
    renamed, _ = rename_tensors(read_weights(path), rules, path, kind)
    tables, queues = ([n for n in renamed if n.endswith(end)] for end in (_TABLE, _QUEUE))
    if not tables or not queues:
        raise ConfigError(
            f'the checkpoint {path} lacks the memory of OIM, of which {kind} has a table (lut) and '
            'a queue (cq)'
        )
    # The peers do not save where the queue goes on.
    renamed.update({f'{queue}_pointer': torch.zeros((), dtype=torch.int64) for queue in queues})
    linear = renamed.get(_BIAS.replace('bias', 'weight'))
    if linear is not None:
        renamed.setdefault(_BIAS, linear.new_zeros(len(linear)))
    _check(renamed, config, path, (len(renamed[tables[0]]), len(renamed[queues[0]])))
    save_weights(renamed, out, kind)
    return len(renamed)


def run_converter(
    args: argparse.Namespace, rules: Sequence[Rule], config: str | Path, kind: str
) -> None:
    """Do what a tool of ``tools/model_converters/`` is asked for, and say what it wrote.

    Args:
        args: Of :func:`~mmclsa.utils.cli.add_converter_options`.
        rules: See :func:`convert_checkpoint`.
        config: The same.
        kind: The same.
    """
    trust_checkpoints(args.trust_checkpoint)
    count = convert_checkpoint(args.checkpoint, args.out, rules, config, kind)
    print(f'{args.out}: {count} tensors')


def _check(
    weights: dict[str, torch.Tensor],
    config: str | Path,
    path: str | Path,
    memory: tuple[int, int],
) -> None:
    """Compare names and shapes with the model of a config, whose memory has so many rows."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(
        {
            'model.reid.head.num_identities': memory[0],
            'model.reid.head.loss_id.queue_size': memory[1],
        }
    )
    init_default_scope('mmclsa')
    with torch.device('meta'):
        state = MODELS.build(cfg.model).state_dict()
    check_whole(state, {'state_dict': weights}, path, training_only='\n')
