"""A web page that searches a gallery, and the REST interface beneath it.

:func:`mmclsa.webui.app.build_app` makes the application, :mod:`mmclsa.webui.server` serves it, and
:class:`GalleryService` is what both do, without HTTP. The names here are imported when they are
asked for: :mod:`mmclsa.webui.access` and :mod:`mmclsa.webui.addresses` are light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmclsa.webui.clicks import person_at
    from mmclsa.webui.service import GalleryService
    from mmclsa.webui.settings import Limits

__all__ = ['GalleryService', 'Limits', 'person_at']

_MODULES = {'GalleryService': 'service', 'Limits': 'settings', 'person_at': 'clicks'}


if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
