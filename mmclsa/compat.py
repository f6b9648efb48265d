"""All that depends on which versions of PyTorch and OpenMMLab are there.

Nothing here imports them before it must: ``mmclsa.structures`` and
``mmclsa.evaluation.functional`` are of use without any of them.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

from packaging.version import Version

__all__ = [
    'REQUIREMENTS',
    'Requirement',
    'check_versions',
    'installed_version',
    'load_torch_file',
    'silence_onedl',
]


# What PyTorch takes for safe is one set for all threads.
_LOADING = threading.RLock()


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
        ImportError: mmclsa needs packaging >= 9999, but packaging ... is installed
    """
    for name, requirement in requirements.items():
        found = installed_version(requirement)
        if found is None:
            continue
        distribution, version = found
        if Version(version) < Version(requirement.minimum):
            raise ImportError(
                f'mmclsa needs {name} >= {requirement.minimum}, '
                f'but {distribution} {version} is installed'
            )
        tested = Version(requirement.tested).release
        if Version(version).release[: len(tested)] > tested:
            warnings.warn(
                f'mmclsa was tested up to {name} {requirement.tested}; '
                f'{distribution} {version} is newer.',
                stacklevel=3,
            )


def silence_onedl() -> None:
    """Let MMDetection be imported without its word that the package OneDL is not there.

    It says so at level DEBUG, but to no logger, and MMEngine then prints whatever the
    level. What a user is to see of MMDetection stays.
    """
    if not any(isinstance(finder, _FindDatasets) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FindDatasets())


class _FindDatasets(MetaPathFinder):
    """Finds the one package that says it, whoever imports it: a tool, a config, a registry."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != 'mmdet.datasets':
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_quietly(module: ModuleType) -> None:
                with _without_onedl():
                    run(module)

            spec.loader.exec_module = run_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _without_onedl() -> Iterator[None]:
    from mmengine import logging

    print_log = logging.print_log

    def print_others(msg: Any, *args: Any, **kwargs: Any) -> None:
        if msg != 'Could not import OneDL. Skipping OneDL datasets.':
            print_log(msg, *args, **kwargs)

    logging.print_log = print_others
    try:
        yield
    finally:
        logging.print_log = print_log


def load_torch_file(
    file: str | Path | IO[bytes], map_location: Any = 'cpu', trusted: bool = False
) -> Any:
    """Load what ``torch.save`` wrote: tensors and plain values, and no code.

    For files that a user gave :func:`mmclsa.utils.torch_files.read_torch_file`
    says in a sentence what is wrong.

    Args:
        file: Path or stream.
        map_location: As for ``torch.load``.
        trusted: Take whatever is pickled in it, which may run any code.

    Returns:
        What was saved.

    Raises:
        pickle.UnpicklingError: If there is something else in it.
    """
    import torch

    from mmclsa.utils.plain_pickle import PLAIN_CLASSES, PlainPickle, to_numpy

    # Not what mmclsa.utils.mmengine_loader puts in its place for a moment.
    load = getattr(torch.load, '__wrapped__', torch.load)
    if trusted:
        return load(file, map_location=map_location, weights_only=False)
    # Before 2.6 weights_only could be got round (CVE-2025-32434).
    if Version(torch.__version__) < Version('2.6'):
        return to_numpy(load(file, map_location=map_location, pickle_module=PlainPickle))
    with _LOADING, _only_safe_globals(PLAIN_CLASSES):
        return to_numpy(load(file, map_location=map_location, weights_only=True))


@contextmanager
def _only_safe_globals(classes: list[Any]) -> Iterator[None]:
    """Let PyTorch find these classes and its own, and none that others have declared safe.

    MMEngine declares NumPy's and ``getattr`` so while it loads.
    """
    from torch import serialization

    before = serialization.get_safe_globals()
    own = [one for one in before if getattr(one, '__module__', '').startswith('torch.')]
    serialization.clear_safe_globals()
    try:
        serialization.add_safe_globals([*own, *classes])
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)
