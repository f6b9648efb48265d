"""The application: the REST interface, and the page as files above it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import Match, Mount
from starlette.types import Scope

from mmclsa.version import __version__
from mmclsa.webui.access import Access
from mmclsa.webui.errors import add_error_handlers
from mmclsa.webui.guards import Guard, is_of_interface
from mmclsa.webui.routes import ROUTERS
from mmclsa.webui.service import GalleryService
from mmclsa.webui.workers import Workers

__all__ = ['build_app']

_STATIC = Path(__file__).parent / 'static'


class _Page(Mount):
    """The files of the page; addresses of the interface are none, whatever the method."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if is_of_interface(scope['path']) else super().matches(scope)


def build_app(
    service: GalleryService, access: Access | None = None, hosts: Iterable[str] = ()
) -> FastAPI:
    """Make the application.

    Args:
        service: What it does.
        access: Who may use it; everybody by default.
        hosts: Names of this server beside its own.

    Returns:
        The app, not yet served. FastAPI's own pages on its interface are off,
        for they load from other hosts.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.workers = Workers()
        yield
        app.state.workers.shutdown()
        service.close()

    app = FastAPI(
        title='mmclsa: person search',
        version=__version__,
        openapi_url='/api/openapi.json',
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(_Page('/', StaticFiles(directory=_STATIC, html=True)))
    add_error_handlers(app, service.index_path)
    app.add_middleware(
        Guard,
        access=access or Access(),
        max_upload_mb=service.limits.max_upload_mb,
        hosts=tuple(hosts),
    )
    return app
