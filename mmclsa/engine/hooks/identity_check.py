"""Check that classifier, training set and batches have the same identities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmclsa.datasets.concat import person_search_parts, refuse_plain_concat
from mmclsa.datasets.samplers import check_aspect_ratios, check_balanced_batches
from mmclsa.datasets.transforms.pipeline_check import check_pipeline
from mmclsa.engine.bare_model import bare_model
from mmclsa.errors import ConfigError
from mmclsa.registry import HOOKS

__all__ = ['IdentityCheckHook']


@HOOKS.register_module()
class IdentityCheckHook(Hook):
    """Refuse to train when ``num_identities`` is not that of the data set.

    Too small a number fails with an index error deep in a loss, too large a
    one trains classes that nobody is in. The head is any module of the model
    with an attribute ``num_identities``.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the head with the training set.

        Raises:
            ConfigError: If the two numbers differ, several data sets are
                joined without telling their people apart, the batches of an
                ``IdentityBalancedSampler`` are cut in another way, an
                ``AspectRatioBatchSampler`` does not know the pictures' sizes,
                or the pipeline of a wrapper (``MultiImageMixDataset``) loses
                ids.
        """
        refuse_plain_concat(runner.train_dataloader.dataset)
        check_balanced_batches(runner.train_dataloader)
        check_aspect_ratios(runner.train_dataloader)
        check_pipeline(list(_wrapper_pipelines(runner.train_dataloader.dataset)))
        expected = dataset_identities(runner.train_dataloader.dataset)
        model = bare_model(runner)
        if expected is None:
            return
        for name, given in head_identities(model).items():
            if given != expected == 0:
                raise ConfigError(
                    f'model.{name} is to learn {given} identities, but nobody in the training set '
                    f'has one{_why_nobody(runner.train_dataloader.dataset)}'
                )
            if given != expected:
                raise ConfigError(
                    f'model.{name}.num_identities is {given}, but the training set has '
                    f'{expected} identities: set num_identities={expected}'
                )


def _why_nobody(dataset: Any) -> str:
    """Say where ids were looked for, as far as the data sets do."""
    notes = [part.identity_note for part in person_search_parts(dataset) if part.identity_note]
    return ''.join(f': {note}' for note in notes[:1])


def dataset_identities(dataset: Any) -> int | None:
    """Look up how many identities a training set has.

    Args:
        dataset: A data set, perhaps within wrappers such as RepeatDataset, or
            a wrapper of which only one data set has identities.

    Returns:
        The number, or None if the data set does not say.
    """
    if dataset is None:
        return None
    number = getattr(dataset, 'num_identities', None)
    if number is None:
        # A wrapper around different data sets has a list of theirs.
        info = getattr(dataset, 'metainfo', None)
        number = info.get('num_identities') if isinstance(info, dict) else None
    if number is not None:
        return int(number)
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    found = (dataset_identities(one) for one in inner)
    return next((count for count in found if count is not None), None)


def _wrapper_pipelines(dataset: Any) -> Iterator[Any]:
    """List the pipelines of wrappers around data sets, which check their own."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for one in inner:
        if one is not None and dataset_identities(one) is not None:
            yield getattr(dataset, 'pipeline', None)
            yield from _wrapper_pipelines(one)


def head_identities(model: nn.Module) -> dict[str, int]:
    """Look up the identities of every classifier in a model.

    Args:
        model: The model, without its distributed wrapper.

    Returns:
        Name of the module to its number of identities, for the outermost
        modules that have one.
    """
    found: dict[str, int] = {}
    for name, module in model.named_modules():
        number = getattr(module, 'num_identities', None)
        inside = any(name.startswith(f'{outer}.') for outer in found)
        if isinstance(number, int) and not inside:
            found[name] = number
    return found
