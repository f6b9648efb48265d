"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import json
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

import mmclsa.engine.file_backend  # noqa: F401  registers the backend "atomic"
from mmclsa.engine.model_description import META_FIELD, describe_model
from mmclsa.errors import ConfigError
from mmclsa.registry import HOOKS

__all__ = ['AtomicCheckpointHook']


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Save checkpoints so that ``last_checkpoint`` always names a whole one.

    MMEngine's own hook deletes the oldest checkpoint before it has written
    the new one, and writes in place. Here the order is: write the new file
    under a temporary name, rename it, point ``last_checkpoint`` to it (again
    by a rename), and only then delete. ``meta`` also describes the model as
    data, which can be read without running MMEngine's text of the config.

    Args:
        backend_args: File backend; defaults to the local one that renames.
        **kwargs: As for ``mmengine.hooks.CheckpointHook``.
    """

    def __init__(self, *, backend_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(backend_args=backend_args or {'backend': 'atomic'}, **kwargs)
        self._description: str | None = None

    def before_train(self, runner: Runner) -> None:
        """Settle what checkpoints say of the model.

        Args:
            runner: The runner.
        """
        super().before_train(runner)
        try:
            self._description = json.dumps(describe_model(runner.cfg))
        except ConfigError as error:
            runner.logger.warning(f'Checkpoints do not say as data whose they are: {error}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint's ``meta`` as data which model it is of.

        Args:
            runner: The runner.
            checkpoint: What is about to be written.
        """
        if self._description is not None:
            checkpoint['meta'][META_FIELD] = self._description

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        outdated = self._rotate(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        pointer = self.file_backend.join_path(runner.work_dir, 'last_checkpoint')
        self.file_backend.put_text(self.last_ckpt, pointer)
        for old_step in outdated:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old_step))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _rotate(self, runner: Runner, step: int) -> list[int]:
        """Note the new step among those kept; return the steps that must go."""
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return []
        full = len(self.keep_ckpt_ids) == self.max_keep_ckpts
        outdated = [self.keep_ckpt_ids.popleft()] if full else []
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated
