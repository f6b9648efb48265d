"""All that depends on which versions of PyTorch and OpenMMLab are there.

Nothing here imports them before it must: ``mmclsa.structures`` and
``mmclsa.evaluation.functional`` are of use without any of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import Version

__all__ = ['REQUIREMENTS', 'Requirement', 'check_versions', 'installed_version', 'load_torch_file']


class Requirement(NamedTuple):
    """Which versions of one import package mmclsa works with.

    Args:
        distributions: Names under which the package is published.
        minimum: Lowest version that works.
        tested: Highest version that the tests ran with.
    """

    distributions: tuple[str, ...]
    minimum: str
    tested: str


REQUIREMENTS: Mapping[str, Requirement] = {
    'torch': Requirement(('torch',), '2.0', '2.13'),
    'mmengine': Requirement(('onedl-mmengine', 'mmengine'), '0.10.7', '0.10.12'),
    'mmcv': Requirement(('onedl-mmcv', 'mmcv', 'mmcv-lite'), '2.1.0', '2.3.6'),
    'mmdet': Requirement(('onedl-mmdetection', 'mmdet'), '3.3.0', '3.5.1'),
}


def installed_version(requirement: Requirement) -> tuple[str, str] | None:
    """Find which distribution of a package is installed.

    Args:
        requirement: The package.

    Returns:
        Name of the distribution and its version, or None if none is there.

    Example:
        >>> installed_version(Requirement(('no-such-package',), '1.0', '2.0'))
    """
    for name in requirement.distributions:
        for found in metadata.distributions(name=name):
            return name, found.version
    return None


def check_versions(requirements: Mapping[str, Requirement] = REQUIREMENTS) -> None:
    """Refuse packages that are too old, warn of those newer than tested.

    A package that is absent is no error here: whatever needs it says so
    when it is imported.

    Args:
        requirements: Import name to its bounds.

    Raises:
        ImportError: If an installed package is older than its minimum.

    Example:
        >>> check_versions()
        >>> check_versions({'packaging': Requirement(('packaging',), '9999', '9999')})
        Traceback (most recent call last):
        ImportError: mmclsa needs packaging >= 9999, but packaging ... is installed.
    """
    for name, requirement in requirements.items():
        found = installed_version(requirement)
        if found is None:
            continue
        distribution, version = found
        if Version(version) < Version(requirement.minimum):
            raise ImportError(
                f'mmclsa needs {name} >= {requirement.minimum}, '
                f'but {distribution} {version} is installed.'
            )
        tested = Version(requirement.tested).release
        if Version(version).release[: len(tested)] > tested:
            warnings.warn(
                f'mmclsa was tested up to {name} {requirement.tested}; '
                f'{distribution} {version} is newer.',
                stacklevel=3,
            )


def load_torch_file(path: str | Path) -> Any:
    """Load a checkpoint onto the CPU.

    PyTorch 2.6 made ``weights_only=True`` the default, which refuses the
    training history in MMEngine's checkpoints. Load trusted files only.

    Args:
        path: File written by ``torch.save``.

    Returns:
        What was saved.
    """
    import torch

    return torch.load(path, map_location='cpu', weights_only=False)
