"""What every route needs."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mmclsa.webui.schemas import Problem
from mmclsa.webui.service import GalleryService
from mmclsa.webui.workers import Workers

__all__ = ['GONE', 'PICTURE', 'Service', 'Threads', 'make_router', 'picture_response']

#: For ``responses``: what is asked for is not there.
GONE: dict[int | str, dict[str, Any]] = {
    404: {'model': Problem, 'description': 'It is not there, or no longer.'}
}
_KEPT = 'private, no-cache'
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {'model': Problem, 'description': 'The request is none, or for another host.'},
    401: {'model': Problem, 'description': 'Name and password or token are needed.'},
    403: {'model': Problem, 'description': 'Another site has sent it.'},
    429: {'model': Problem, 'description': 'Too many wrong passwords: Retry-After says when.'},
    413: {'model': Problem, 'description': 'The request is too large.'},
    422: {'model': Problem, 'description': 'It asks for what makes no sense.'},
    500: {'model': Problem, 'description': 'The index is broken or was deleted.'},
    503: {'model': Problem, 'description': 'The server has too much to do: Retry-After says when.'},
}


#: The same, of a route that gives a picture.
PICTURE: dict[int | str, dict[str, Any]] = {
    **GONE,
    200: {
        'description': 'A JPEG.',
        'content': {'image/jpeg': {'schema': {'type': 'string', 'format': 'binary'}}},
    },
    304: {'description': 'It is what If-None-Match names.'},
}


def make_router(tag: str) -> APIRouter:
    """Make a router whose routes tell of all that may go wrong anywhere."""
    return APIRouter(prefix='/api', tags=[tag], responses=_PROBLEMS)


class _Picture(Response):
    """A JPEG, or word that the browser has it."""

    media_type = 'image/jpeg'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tag = self.headers['ETag']
        if tag in Headers(scope=scope).get('If-None-Match', ''):
            headers = {'Cache-Control': _KEPT, 'ETag': tag}
            await Response(None, 304, headers)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def picture_response(data: bytes) -> Response:
    """Send a JPEG, which a browser asks for again each time: it may have been deleted."""
    tag = hashlib.blake2b(data, digest_size=16).hexdigest()
    return _Picture(data, headers={'Cache-Control': _KEPT, 'ETag': f'"{tag}"'})


def _service(request: Request) -> GalleryService:
    service: GalleryService = request.app.state.service
    return service


def _threads(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


Service = Annotated[GalleryService, Depends(_service)]
Threads = Annotated[Workers, Depends(_threads)]
