"""What every request passes before it is answered, and every answer before it is sent."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi.exceptions import HTTPException
from starlette.datastructures import Headers

from mmclsa.webui.access import Access
from mmclsa.webui.errors import busy, problem
from mmclsa.webui.guesses import Guesses

__all__ = ['Guard', 'host_of', 'is_of_interface']

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

_OPEN = '/api/health'
_UPLOADS = '/api/pictures'
_MB = 1_000_000
#: Of a body that is no upload; a query with all the rows it may have is well below.
_LARGEST_JSON = _MB
_NO_HOST = frozenset('@/\\?#')  # end or precede the name of a server in an address
_AT_ONCE = 128  # requests
_FORM = 10_000  # bytes of an upload's body that are not the file
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b'content-security-policy', _POLICY.encode()),
    (b'x-content-type-options', b'nosniff'),
    (b'x-frame-options', b'DENY'),
    (b'referrer-policy', b'no-referrer'),
    (b'cross-origin-resource-policy', b'same-origin'),
    (b'cross-origin-opener-policy', b'same-origin'),
)


def host_of(header: str) -> str:
    """Give the name or address of a ``Host`` header, without its port.

    Example:
        >>> host_of('localhost:7860'), host_of('[::1]:7860'), host_of('a:b@c')
        ('localhost', '::1', '')
    """
    try:
        return '' if set(header) & _NO_HOST else urlsplit(f'//{header}').hostname or ''
    except ValueError:
        return ''


class Guard:
    """Middleware: host, password, origin, size and number of requests, headers of answers.

    A page of another site may send requests here through a visitor's browser.
    It is told from ours by what browsers say of it (``Sec-Fetch-Site``,
    ``Origin``); one that names its own host this machine's address (DNS
    rebinding) by the name in ``Host``, where addresses, this machine's names
    and those of ``hosts`` are allowed.

    Args:
        app: The application.
        access: Who may enter.
        max_upload_mb: Size of an upload, MB.
        hosts: Further names of this server, such as that of a proxy.
    """

    def __init__(
        self, app: App, access: Access, max_upload_mb: int, hosts: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._access = access
        self._guesses = Guesses()
        self._running = 0
        self._largest_upload = max_upload_mb * _MB + _FORM
        self._given = {name.lower() for name in hosts}
        self._hosts = {'localhost', socket.gethostname().lower(), *self._given}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return

        if scope['method'] == 'HEAD':  # uvicorn leaves the body out
            scope = {**scope, 'method': 'GET'}

        async def send_more(message: Message) -> None:
            if message['type'] == 'http.response.start':
                message = {**message, 'headers': _with_ours(message['headers'], scope['path'])}
            await send(message)

        headers, limit = Headers(scope=scope), self._limit(scope['path'])
        refusal = self._refusal(scope, headers, limit)
        if refusal is not None:
            await refusal(scope, receive, send_more)
        elif scope['path'] == _OPEN:
            await self._app(scope, _limited(receive, limit), send_more)
        else:
            await self._answer(scope, _limited(receive, limit), send_more)

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one of those who may enter, if there are not too many."""
        if self._running >= _AT_ONCE:
            await busy('the server has too much to do: try again in a moment')(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1

    def _limit(self, path: str) -> int:
        return self._largest_upload if path == _UPLOADS else _LARGEST_JSON

    def _refusal(self, scope: Any, headers: Headers, limit: int) -> App | None:
        host = headers.get('host', '')
        if not self._knows(host_of(host)):
            return problem(400, 'this server is not known by that name: see --allow-host')
        if scope['path'] != _OPEN:
            stranger = self._stranger(scope, headers.get('authorization'))
            if stranger is not None:
                return stranger
        # What an address of the interface gives may take long, so a GET is no less.
        path = scope['path']
        harmless = scope['method'] == 'GET' and (path == _OPEN or not is_of_interface(path))
        if not harmless and not self._from_here(headers, host):
            return problem(403, 'another site has sent this request')
        if _length(headers) > limit:
            return problem(413, _too_large(limit))
        return None

    def _stranger(self, scope: Any, given: str | None) -> App | None:
        """Refuse who has no password, and who has tried too many."""
        address = (scope.get('client') or ('',))[0]
        if given and self._access.asked and (wait := self._guesses.wait(address)):
            sentence = f'too many wrong passwords from your address: try again in {wait} s'
            return problem(429, sentence, {'Retry-After': str(wait)})
        if self._access.admits(given):
            return None
        if given:
            self._guesses.note_wrong(address)
        challenge = {'WWW-Authenticate': self._access.challenge}
        return problem(401, 'name and password, or a token, are needed', challenge)

    def _knows(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self._hosts
        return True

    def _from_here(self, headers: Headers, host: str) -> bool:
        """Tell whether a request is of our own page or of a program."""
        if headers.get('sec-fetch-site', 'none') not in ('same-origin', 'none'):
            return False
        origin = headers.get('origin')
        if origin is None:
            return True
        netloc = origin.partition('://')[2].lower()
        # A proxy may put an address of its own into "Host".
        return netloc == host.lower() or host_of(netloc) in self._given


def is_of_interface(path: str) -> bool:
    """Tell whether a path is one of the interface, and no file of the page."""
    return path.startswith('/api/')


def _length(headers: Headers) -> int:
    given = headers.get('content-length', '')
    return int(given) if given.isdecimal() else 0


def _too_large(limit: int) -> str:
    return f'the request is too large: at most {limit // _MB} MB are taken'


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what comes in, whatever the request says of its length."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get('body', b''))
        if taken > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receive_some


def _with_ours(headers: Iterable[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    if not any(name.lower() == b'cache-control' for name, _ in given):
        kept = b'no-store' if is_of_interface(path) else b'no-cache'
        given.append((b'cache-control', kept))
    return [*given, *_HEADERS]
