"""Serving the application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from mmclsa.webui.addresses import address_of, listen

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ['launch', 'serving']

_SILENT = 15.0  # seconds until who has connected must have asked for something


def launch(app: FastAPI, host: str = '127.0.0.1', port: int | None = None) -> None:
    """Serve until the process is interrupted.

    Args:
        app: The application.
        host: Address to listen on; only this machine by default.
        port: None for the first free one from 7860 on.

    Raises:
        UserError: If the port is taken, or the address is not this machine's.
    """
    with closing(listen(host, port)) as listener:
        print(f'Serving at {address_of(listener)} (Ctrl-C to end)', flush=True)
        with suppress(KeyboardInterrupt):
            _server(app).run([listener])


@contextmanager
def serving(app: FastAPI, host: str = '127.0.0.1', port: int | None = None) -> Iterator[str]:
    """Serve as long as a block takes, in a thread.

    Args:
        app: The application.
        host: Address to listen on.
        port: None for the first free one from 7860 on.

    Yields:
        Its address, without a slash at the end.

    Raises:
        UserError: If the port is taken.
    """
    with closing(listen(host, port)) as listener:
        server = _server(app)
        thread = Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join(timeout=30)


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """HTTP; closes connections over which no request comes, which uvicorn keeps for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(_SILENT, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level='warning',
        access_log=False,  # it would keep who has looked for whom
        server_header=False,
        proxy_headers=False,
        http=_Protocol,
        ws='none',
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
