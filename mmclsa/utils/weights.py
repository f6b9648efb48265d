"""Published weights by name: a file of one's own, else a download.

``mmclsa://resnet50_imagenet.pth`` in an ``init_cfg`` is that file in the folder
that the environment variable ``MMCLSA_WEIGHTS`` names (``weights/`` without it),
or, where it is not there, the download that torchvision's authors offer. MMEngine
asks here whenever it initialises a model, whoever builds it.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import torch
from mmengine.runner import CheckpointLoader

from mmclsa.errors import ConfigError
from mmclsa.utils.torch_files import read_torch_file

__all__ = ['PUBLISHED', 'SCHEME', 'download', 'find_weights', 'is_published']

SCHEME = 'mmclsa://'
_PATIENCE = 30.0  # seconds without a byte


class _Published(NamedTuple):
    """Where weights come from, and a tensor that tells their layout."""

    url: str
    tensor: str


#: By the name of the file.
PUBLISHED: Mapping[str, _Published] = {
    # IMAGENET1K_V1 of torchvision, which MMEngine knows as torchvision://resnet50 and so on.
    'resnet18_imagenet.pth': _Published(
        'https://download.pytorch.org/models/resnet18-f37072fd.pth', 'layer1.0.conv1.weight'
    ),
    'resnet50_imagenet.pth': _Published(
        'https://download.pytorch.org/models/resnet50-0676ba61.pth', 'layer1.0.conv1.weight'
    ),
    'resnet101_imagenet.pth': _Published(
        'https://download.pytorch.org/models/resnet101-63fe2227.pth', 'layer1.0.conv1.weight'
    ),
}


def is_published(address: str) -> bool:
    """Tell whether an address is a name of ours.

    Example:
        >>> is_published('mmclsa://resnet50_imagenet.pth'), is_published('weights/a.pth')
        (True, False)
    """
    return address.startswith(SCHEME)


def find_weights(address: str) -> Path:
    """Find published weights on this machine, or download them.

    Args:
        address: ``mmclsa://`` and a name in :data:`PUBLISHED`.

    Raises:
        ConfigError: If the name is unknown, or there is neither file nor
            network.
    """
    name = address[len(SCHEME) :]
    if name not in PUBLISHED:
        raise ConfigError(f'{address} is not known: there are {", ".join(sorted(PUBLISHED))}')
    own = Path(os.environ.get('MMCLSA_WEIGHTS') or 'weights') / name
    if own.is_file():
        return own
    url = PUBLISHED[name].url
    try:
        return download(url)
    except ConfigError as error:
        raise ConfigError(
            f'the weights {own} do not exist, and {error}: put that download there under this name '
            '(MMCLSA_WEIGHTS names the folder), or start where the network reaches the address'
        ) from error


def download(url: str) -> Path:
    """Download a file, or find it where PyTorch and MMEngine keep downloads.

    Several processes may do so at once: the file appears whole.

    Args:
        url: ``https://`` address. Digits after the last ``-`` of its name are
            the beginning of the file's SHA-256, as PyTorch has it.

    Raises:
        ConfigError: If it cannot be had.
    """
    name = Path(url).name
    target = Path(torch.hub.get_dir()) / 'checkpoints' / name
    if target.is_file():
        return target
    digits = re.search(r'-([0-9a-f]{8,})\.', name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _patience():
            torch.hub.download_url_to_file(url, str(target), digits and digits[1])
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        reason = error if isinstance(error, HTTPError) else getattr(error, 'reason', error)
        raise ConfigError(f'{url} cannot be downloaded ({reason})') from error
    return target


@contextmanager
def _patience() -> Iterator[None]:
    """Let a connection that is dead fail, rather than wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load published weights for MMEngine's ``CheckpointLoader``."""
    path = find_weights(filename)
    weights = read_torch_file(path, map_location)
    state = weights.get('state_dict', weights) if isinstance(weights, dict) else {}
    expected = PUBLISHED[filename[len(SCHEME) :]].tensor
    if expected not in state:
        raise ConfigError(
            f'the weights {path} have other names than {filename} has: no tensor {expected}'
        )
    return dict(state)


CheckpointLoader.register_scheme(SCHEME, _load, force=True)
