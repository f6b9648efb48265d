"""What every route needs."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Annotated, Any, Union

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mmclsa.errors import ConfigError
from mmclsa.webui.schemas import Problem
from mmclsa.webui.service import GalleryService
from mmclsa.webui.workers import Workers

__all__ = [
    'FOOTAGE',
    'GONE',
    'PICTURE',
    'Service',
    'Threads',
    'make_router',
    'picture_response',
]

Responses = dict[Union[int, str], dict[str, Any]]
#: For ``responses``: what is asked for is not there.
GONE: Responses = {404: {'model': Problem, 'description': 'It is not there, or no longer.'}}
#: The same, of a route that reads the file that a row was found in.
FOOTAGE: Responses = {
    **GONE,
    410: {
        'model': Problem,
        'description': 'The row is there, but its file is not (any more), or cannot be read.',
    },
}
_KEPT = 'private, no-cache'
_LONGEST = 100  # letters of an unknown name
_PROBLEMS: Responses = {
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
PICTURE: Responses = {
    **GONE,
    200: {
        'description': 'A JPEG.',
        'content': {'image/jpeg': {'schema': {'type': 'string', 'format': 'binary'}}},
    },
    304: {'description': 'It is what If-None-Match names.'},
}


async def _check_parameters(request: Request) -> None:
    """Refuse parameters that an address does not have: a misspelt limit would limit nothing.

    Raises:
        ConfigError: If there is one, or one twice that may be given once.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    if not given:
        return
    paths = request.app.openapi()['paths']  # made once
    described = paths[request.scope['route'].path][request.method.lower()].get('parameters', ())
    known = {one['name']: one['schema'] for one in described if one['in'] == 'query'}
    for name, times in given.items():
        if name not in known:
            there = ', '.join(f'"{one}"' for one in known)
            has = f'but {there}' if there else 'nor any other'
            raise ConfigError(f'there is no parameter "{name[:_LONGEST]}" here, {has}')
        if times > 1 and not _is_list(known[name]):
            raise ConfigError(f'the parameter "{name}" may be given once, but is {times} times')


def _is_list(schema: dict[str, Any]) -> bool:
    return any(one.get('type') == 'array' for one in (schema, *schema.get('anyOf', ())))


def make_router(tag: str) -> APIRouter:
    """Make a router whose routes tell of all that may go wrong anywhere."""
    checks = [Depends(_check_parameters)]
    return APIRouter(prefix='/api', tags=[tag], responses=_PROBLEMS, dependencies=checks)


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
