"""The embeddings of single levels, which a descriptor of all levels hides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmclsa.engine.bare_model import bare_model
from mmclsa.errors import ConfigError
from mmclsa.evaluation.metrics.scene_results import result_of_scene
from mmclsa.registry import HOOKS

__all__ = ['RecordLevelsHook']


@HOOKS.register_module()
class RecordLevelsHook(Hook):
    """Record the embedding of each level for all people in a test.

    It listens to the levels of the re-ID head and changes nothing, neither
    the model nor what the metrics see.

    Attributes:
        results: One a scene, as
            :func:`~mmclsa.evaluation.metrics.scene_results.result_of_scene` makes them,
            but ``embeddings`` (n, levels * D) and ``query_embeddings`` are
            those of all levels side by side, from low to high, as they come
            out of the batch-norm neck.
    """

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []
        self._heard: list[list[Tensor]] = []
        self._handles: list[Any] = []

    def before_test(self, runner: Runner) -> None:
        """Start recording the levels.

        Raises:
            ConfigError: If the model has no re-ID head with levels.
        """
        model = bare_model(runner)
        head = getattr(getattr(model, 'reid', None), 'head', None)
        levels = getattr(head, 'levels', None)
        if levels is None:
            why = (
                f'is a {type(model).__name__} without one'
                if head is None
                else f'has a {type(head).__name__}, which makes one descriptor of all its maps and '
                'identifies by that alone: compare it as a whole, by '
                'tools/analysis_tools/compare_methods.py'
            )
            raise ConfigError(f'levels are those of a MultiScaleReIDHead, but the model {why}')
        self.results.clear()
        self._heard = [[] for _ in levels]
        self._handles = [
            level.register_forward_hook(self._listener(heard))
            for level, heard in zip(levels, self._heard)
        ]

    def _listener(self, heard: list[Tensor]) -> Any:
        def listen(level: nn.Module, inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
            heard.append(outputs[1].detach().cpu())

        return listen

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Give each scene of a batch its people.

        Args:
            runner: Not used.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: The batch's data samples, in the order in which the model
                described their people: detections, then queries.

        Raises:
            ConfigError: If people were described more than once.
        """
        levels = [torch.cat(heard) for heard in self._heard]
        rows = torch.cat(levels, dim=1).numpy()
        for heard in self._heard:
            heard.clear()
        results = [result_of_scene(sample.to_dict()) for sample in outputs or ()]
        counts = [len(r[name]) for r in results for name in ('embeddings', 'query_embeddings')]
        if sum(counts) != len(rows):
            raise ConfigError(
                f'a level described {len(rows)} crops of {sum(counts)} people: levels are compared '
                'on one view each, so set model.reid.flip_test=False and '
                'model.reid.test_sizes=None'
            )
        parts = iter(np.split(rows, np.cumsum(counts)[:-1]))
        for result in results:
            result.update(embeddings=next(parts), query_embeddings=next(parts))
        self.results += results

    def after_test(self, runner: Runner) -> None:
        """Stop recording."""
        for handle in self._handles:
            handle.remove()
