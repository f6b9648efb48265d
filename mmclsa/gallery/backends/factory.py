"""From a backend's config to the backend; MMEngine is asked for those of others alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.faiss_backend import FaissBackend
from mmclsa.gallery.backends.milvus_backend import MilvusBackend

__all__ = ['BACKENDS', 'DEFAULT_BACKEND', 'build_backend']

#: The backends of mmclsa by name.
BACKENDS: Mapping[str, type[VectorBackend]] = {
    backend.__name__: backend for backend in (FaissBackend, MilvusBackend)
}

#: Of an index that is made without saying which.
DEFAULT_BACKEND = FaissBackend.__name__


def build_backend(
    config: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> VectorBackend:
    """Build a backend from its config.

    Args:
        config: Its ``type`` and options.
        options: Search options in place of those of the config.

    Returns:
        The backend, which has not touched anything yet.

    Raises:
        ConfigError: If there is no such backend or option, or an option of
            the second kind would change what is stored.
    """
    backend = _build(config)
    if fixed := set(options or {}) - backend.SEARCH_OPTIONS:
        raise ConfigError(
            f'options of a search must be of {", ".join(sorted(backend.SEARCH_OPTIONS))}; '
            f'{", ".join(sorted(fixed))} is settled when an index is built'
        )
    return _build({**config, **options}) if options else backend


def _build(config: Mapping[str, Any]) -> VectorBackend:
    options = dict(config)
    backend = _find(options.pop('type', None))
    try:
        return backend(**options)
    except TypeError as error:
        raise ConfigError(f'the backend of an index has no such option: {error}') from error


def _find(kind: Any) -> type[VectorBackend]:
    """Find a class by name: a manifest may be anybody's, so a dotted name is not imported."""
    name = kind.removeprefix('mmclsa.') if isinstance(kind, str) else ''
    if name in BACKENDS:
        return BACKENDS[name]
    from mmclsa.registry import INDEXES

    INDEXES.import_from_location()
    if name not in INDEXES.module_dict:
        raise ConfigError(
            f'the backend of an index must be one of {", ".join(sorted(INDEXES.module_dict))}, '
            f'but is {kind!r}'
        )
    return INDEXES.module_dict[name]
