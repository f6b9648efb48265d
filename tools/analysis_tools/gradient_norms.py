"""Compare the gradients of the detector's and of the re-ID losses in the first training steps."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Mapping

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner
from terminaltables import GithubFlavoredMarkdownTable
from torch import Tensor, nn

from mmclsa.engine import check_pretrained, load_config, set_work_dir
from mmclsa.utils.cli import run_tool

#: The re-ID branch's losses begin so.
REID = ('loss_id', 'loss_align', 'loss_triplet', 'loss_contrastive')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--steps', type=int, default=24, help='training steps (default: 24)')
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config>)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='as in train.py'
    )
    return parser.parse_args()


def split_losses(losses: Mapping[str, Tensor | list[Tensor]]) -> dict[str, Tensor]:
    """Sum the losses of the detector and those of the re-ID branch."""
    sums: dict[str, Tensor] = {}
    for name, value in losses.items():
        if 'loss' in name:
            part = 're-ID' if name.startswith(REID) else 'detector'
            total = sum(v.mean() for v in value) if isinstance(value, list) else value.mean()
            sums[part] = sums[part] + total if part in sums else total
    return sums


def gradient_norm(loss: Tensor, parameters: Iterable[nn.Parameter]) -> float:
    """Measure the norm of a loss's gradient, and leave the graph for another."""
    if not loss.requires_grad:
        return 0.0
    grads = torch.autograd.grad(loss, list(parameters), retain_graph=True, allow_unused=True)
    return float(torch.stack([g.norm() for g in grads if g is not None]).norm())


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
    model, rows = runner.model.train(), []
    backbone = [p for p in model.detector.backbone.parameters() if p.requires_grad]
    trained = [p for p in model.parameters() if p.requires_grad]
    for step, batch in zip(range(args.steps), loop.dataloader_iterator):
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        sums = split_losses(losses)
        norms = {part: gradient_norm(loss, trained) for part, loss in sums.items()}
        shared = {part: gradient_norm(loss, backbone) for part, loss in sums.items()}
        runner.optim_wrapper.update_params(sum(sums.values()))
        for scheduler in schedulers:
            scheduler.step()
        rows.append((norms, shared))
        print(step + 1, norms, 'of the backbone:', shared, flush=True)
    print(summary(rows))


def summary(rows: list[tuple[dict[str, float], dict[str, float]]]) -> str:
    """Give the median and the range of each norm, as a table."""
    lines = [['gradient of', 'losses', 'median', 'least', 'most']]
    for place, of in enumerate(('all weights', 'the backbone')):
        for part in rows[0][place]:
            values = [row[place][part] for row in rows]
            shown = (statistics.median(values), min(values), max(values))
            lines.append([of, part, *(f'{value:.1f}' for value in shown)])
    return GithubFlavoredMarkdownTable(lines).table


if __name__ == '__main__':
    run_tool(main)
