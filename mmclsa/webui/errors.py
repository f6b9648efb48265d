"""What goes wrong, as answers: one sentence of JSON, and no path of the server."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mmclsa.errors import UserError
from mmclsa.gallery.database import LockedError
from mmclsa.webui.problems import (
    BrokenIndexError,
    BusyError,
    FootageError,
    GoneError,
    public_message,
)

__all__ = ['add_error_handlers', 'busy', 'problem']

_TOLD = 3  # mistakes of one body
_WAIT = '5'  # seconds
_STATUS: dict[type[Exception], int] = {GoneError: 404, FootageError: 410, BrokenIndexError: 500}


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Make an answer that tells what is wrong."""
    return JSONResponse({'detail': sentence}, status, headers)


def busy(sentence: str) -> JSONResponse:
    """Make an answer that says to come back."""
    return problem(503, sentence, {'Retry-After': _WAIT})


def add_error_handlers(app: FastAPI, *private: str) -> None:
    """Answer mistakes with a sentence.

    Args:
        app: The application.
        private: Folders that no visitor is told.
    """

    async def mistake(_: Request, error: Exception) -> JSONResponse:
        return problem(_STATUS.get(type(error), 422), public_message(error, *private))

    async def locked(_: Request, error: Exception) -> JSONResponse:
        return busy('another process is writing the index: try again in a moment')

    async def crowded(_: Request, error: Exception) -> JSONResponse:
        return busy(public_message(error))

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        sentence = error.detail or HTTPStatus(error.status_code).phrase
        return problem(error.status_code, sentence, dict(error.headers or {}))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem(422, validation_message(error))

    async def fault(_: Request, error: Exception) -> JSONResponse:
        return problem(500, 'the server has failed at this; its log tells why')

    app.add_exception_handler(UserError, mistake)
    app.add_exception_handler(LockedError, locked)
    app.add_exception_handler(BusyError, crowded)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, fault)


def validation_message(error: RequestValidationError) -> str:
    """Say in a sentence what is wrong with the fields of a request."""
    found = []
    for one in error.errors():
        place = '.'.join(str(part) for part in one['loc'] if part != 'body')
        if one['type'] == 'json_invalid':
            found.append(f'the body is no JSON, from character {place} on')
        else:
            found.append(f'{place or "the body"}: {one["msg"]}')
    unique = list(dict.fromkeys(found))
    more = f'; and {len(unique) - _TOLD} more' if len(unique) > _TOLD else ''
    return '; '.join(unique[:_TOLD]) + more
