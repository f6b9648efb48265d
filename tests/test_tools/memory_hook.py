"""A hook that compares the identity memory of all ranks after every step."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from mmengine.dist import all_gather, all_gather_object, is_main_process
from mmengine.hooks import Hook

from mmclsa.registry import HOOKS


@HOOKS.register_module(force=True)
class SameMemoryOnEveryRank(Hook):
    """Fail when a buffer of a memory differs; write down what was compared."""

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self.told = {'steps': 0, 'buffers': 0, 'changes': 0, 'different batches': 0}
        self.before: dict[str, torch.Tensor] = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        buffers = {n: b for n, b in runner.model.module.named_buffers() if '.memory.' in n}
        assert buffers
        for name, buffer in buffers.items():
            copies = all_gather(buffer)
            assert len(copies) == 2
            assert torch.equal(copies[0], copies[1]), name
        seen = all_gather_object([sample.img_id for sample in data_batch['data_samples']])
        self.told['steps'] += 1
        self.told['buffers'] = len(buffers)
        self.told['changes'] += any(
            not torch.equal(b, self.before[n]) for n, b in buffers.items() if n in self.before
        )
        # One scene may be in both, for one of its people here and another there.
        self.told['different batches'] += seen[0] != seen[1]
        self.before = {name: buffer.clone() for name, buffer in buffers.items()}

    def after_train(self, runner) -> None:
        if is_main_process():
            self.out.write_text(json.dumps(self.told))
