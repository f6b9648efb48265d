"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import json
import time
from typing import Any

import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

import mmclsa.engine.file_backend  # noqa: F401  registers the backend "atomic"
from mmclsa.engine.buffers import gather_rank_buffers, named_buffers
from mmclsa.engine.model_description import META_FIELD, describe_model
from mmclsa.errors import ConfigError
from mmclsa.registry import HOOKS
from mmclsa.utils.config_mistakes import check_arguments
from mmclsa.utils.io import remove_leftovers

__all__ = ['INTERIM_NAME', 'AtomicCheckpointHook']

INTERIM_NAME = 'latest.pth'


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Save checkpoints so that ``last_checkpoint`` always names a complete one.

    MMEngine's own hook deletes the oldest checkpoint before it has written
    the new one, and writes in place. Here the order is: write the new file
    under a temporary name, rename it, point ``last_checkpoint`` to it (again
    by a rename), and only then delete. What a killed write left behind goes
    when the next training in the folder starts.

    A checkpoint also holds the buffers that differ between processes, batch
    norm's running statistics in the middle of an epoch, so that each process
    goes on with its own.

    ``meta`` also describes the model as data, which can be read without
    running MMEngine's text of the config.

    Args:
        backend_args: File backend; defaults to the local one that renames.
        **kwargs: As for ``mmengine.hooks.CheckpointHook``.

    Raises:
        ConfigError: If MMEngine's hook does not have an argument, or takes it
            for another type; by itself it would tell after an epoch.
    """

    def __init__(self, *, backend_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        check_arguments(CheckpointHook, kwargs)
        super().__init__(backend_args=backend_args or {'backend': 'atomic'}, **kwargs)
        if self.args:
            raise ConfigError(
                f'the config gives AtomicCheckpointHook the argument {next(iter(self.args))}, '
                'which it does not have'
            )
        self._description: str | None = None
        self.saved_at = time.monotonic()
        self._rank_buffers: list[dict[str, torch.Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Clean up after a killed run, and give each process its own buffers."""
        super().before_train(runner)
        self.saved_at = time.monotonic()
        try:
            self._description = json.dumps(describe_model(runner.cfg))
        except ConfigError as error:
            runner.logger.warning(f'Checkpoints do not say as data whose they are: {error}.')
        if is_main_process():
            for folder in {str(runner.work_dir), str(self.out_dir)}:
                for path in remove_leftovers(folder, ('*.pth', 'last_checkpoint')):
                    runner.logger.info(f'Removed {path}, which a killed run left behind.')
        self._give_buffers_back(runner)

    def _give_buffers_back(self, runner: Runner) -> None:
        """Give each process the buffers that it had when the checkpoint was written."""
        if not self._rank_buffers:
            return
        if len(self._rank_buffers) != runner.world_size:
            runner.logger.warning(
                f'The checkpoint was written by {len(self._rank_buffers)} processes, now there are '
                f'{runner.world_size}: all go on with the running statistics of the first.'
            )
            return
        buffers = named_buffers(runner)
        for name, value in self._rank_buffers[get_rank()].items():
            buffers[name].copy_(value)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember the buffers of each process until training begins.

        Args:
            runner: The runner.
            checkpoint: What was loaded.
        """
        if runner._resume:
            self._rank_buffers = checkpoint.get('rank_buffers', [])

    def save_interim(self, runner: Runner) -> str:
        """Save the training after the present step, in the middle of its epoch.

        To be called in ``after_train_iter`` by all processes, after the hooks
        that change something. There is one such file, :data:`INTERIM_NAME`;
        the next one takes its place, and it goes when the epoch is saved.

        Returns:
            Path of the checkpoint.
        """
        meta = {'epoch': runner.epoch, 'iter': runner.iter + 1}
        self._write(runner, INTERIM_NAME, meta)
        return str(self.last_ckpt)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the buffers of each process, and in ``meta`` as data which model it is.

        Args:
            runner: The runner.
            checkpoint: What is about to be written.
        """
        if any(self._rank_buffers):
            checkpoint['rank_buffers'] = self._rank_buffers
        if self._description is not None:
            checkpoint['meta'][META_FIELD] = self._description

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        outdated = self._rotate(runner, step)
        self._write(runner, self.filename_tmpl.format(step), meta)
        outdated_names = [self.filename_tmpl.format(old_step) for old_step in outdated]
        if is_main_process():
            self._delete([*outdated_names, INTERIM_NAME])

    def _delete(self, names: list[str]) -> None:
        for name in names:
            path = self.file_backend.join_path(self.out_dir, name)
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _write(self, runner: Runner, filename: str, meta: dict[str, Any]) -> None:
        """Write a checkpoint and let ``last_checkpoint`` name it."""
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self._rank_buffers = gather_rank_buffers(named_buffers(runner))
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
        self._rank_buffers = []
        if is_main_process():
            pointer = self.file_backend.join_path(runner.work_dir, 'last_checkpoint')
            self.file_backend.put_text(self.last_ckpt, pointer)
        self.saved_at = time.monotonic()

    def _rotate(self, runner: Runner, step: int) -> list[int]:
        """Note the new step among those kept; return the steps that must go."""
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return []
        full = len(self.keep_ckpt_ids) == self.max_keep_ckpts
        outdated = [self.keep_ckpt_ids.popleft()] if full else []
        self.keep_ckpt_ids.append(step)
        # With the outdated: if a kill comes before they are deleted, the resumed run does it.
        runner.message_hub.update_info('keep_ckpt_ids', [*outdated, *self.keep_ckpt_ids])
        return outdated
