"""Compare the gradient norms of detector and re-ID losses in the first training steps."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from mmclsa.utils.cli import add_cfg_options, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--steps', type=int, default=24, help='training steps (default: 24)')
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config>)')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from terminaltables import GithubFlavoredMarkdownTable
from torch import Tensor, nn

from mmclsa.engine import check_pretrained, load_config, set_work_dir

#: The re-ID branch's losses begin so.
REID = ('loss_id', 'loss_align', 'loss_triplet', 'loss_contrastive')

BACKBONE = 'detector.backbone.'


def split_losses(losses: Mapping[str, Tensor | list[Tensor]]) -> dict[str, Tensor]:
    """Sum the losses of the detector and those of the re-ID branch."""
    sums: dict[str, Tensor] = {}
    for name, value in losses.items():
        if 'loss' in name:
            part = 're-ID' if name.startswith(REID) else 'detector'
            total = sum(v.mean() for v in value) if isinstance(value, list) else value.mean()
            sums[part] = sums[part] + total if part in sums else total
    return sums


def gradients(loss: Tensor, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Compute the gradient of a loss, and leave the graph for another."""
    if not loss.requires_grad:
        return {}
    found = torch.autograd.grad(
        loss, list(parameters.values()), retain_graph=True, allow_unused=True
    )
    return {name: grad for name, grad in zip(parameters, found) if grad is not None}


def norm_of(grads: Mapping[str, Tensor], prefix: str = '') -> float:
    """Measure the norm of the gradients of weights whose names begin so."""
    chosen = [grad.norm() for name, grad in grads.items() if name.startswith(prefix)]
    return float(torch.stack(chosen).norm()) if chosen else 0.0


def training_step(
    model: nn.Module, wrapper: OptimWrapper, batch: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Make a step as training does, and measure each part's gradient on the way."""
    losses = split_losses(model(**model.data_preprocessor(batch, True), mode='loss'))
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    grads = {part: gradients(loss, weights) for part, loss in losses.items()}
    for name, weight in weights.items():
        parts = [of[name] for of in grads.values() if name in of]
        weight.grad = torch.stack(parts).sum(0) if parts else None
    wrapper.step()
    return {
        'all weights': {part: norm_of(of) for part, of in grads.items()},
        'the backbone': {part: norm_of(of, BACKBONE) for part, of in grads.items()},
    }


def main() -> None:
    """Train a few steps and print the norms."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    set_work_dir(cfg, args.work_dir, args.config)
    check_pretrained(cfg.get('model'))
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=args.steps)
    runner = Runner.from_cfg(cfg)
    loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner._init_model_weights()
    rows = []
    for step, batch in zip(range(args.steps), loop.dataloader_iterator):
        rows.append(training_step(runner.model.train(), runner.optim_wrapper, batch))
        print(step + 1, rows[-1], flush=True)
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
    print(summary(rows))


def summary(rows: list[dict[str, dict[str, float]]]) -> str:
    """Give the median and the range of each norm, as a table."""
    lines = [['gradient of', 'losses', 'median', 'least', 'most']]
    for of, parts in rows[0].items():
        for part in parts:
            values = [row[of][part] for row in rows]
            shown = (statistics.median(values), min(values), max(values))
            lines.append([of, part, *(f'{value:.1f}' for value in shown)])
    return GithubFlavoredMarkdownTable(lines).table


if __name__ == '__main__':
    run_tool(main)
