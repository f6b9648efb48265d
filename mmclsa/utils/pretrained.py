"""Files that a part of a model starts from."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.runner import CheckpointLoader
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import check_whole, is_url, read_checkpoint

__all__ = ['check_part']


def check_part(state: Mapping[str, Tensor], path: str, prefix: str = '') -> None:
    """Refuse a file that leaves a part of a model as it was initialised.

    Args:
        state: ``state_dict`` of the part.
        path: The file, or its address.
        prefix: What the part's names begin with in the file.

    Raises:
        ConfigError: If a tensor is missing or has another shape, but for the
            classifiers of training identities.
    """
    prefix = prefix and f'{prefix.rstrip(".")}.'
    load = CheckpointLoader.load_checkpoint if is_url(path) else read_checkpoint
    whole = load(path)['state_dict']
    part = {name[len(prefix) :]: whole[name] for name in whole if name.startswith(prefix)}
    if not part:
        raise ConfigError(
            f'the weights {path} must have tensors that are named {prefix}*, but have '
            f'{next(iter(whole), "none")}: a tool of tools/model_converters/ makes them of a '
            'published file'
        )
    check_whole(state, {'state_dict': part}, path, training_only='id_losses.')
