"""What goes wrong, as answers: one sentence of JSON, and no path of the server."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

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
from mmclsa.webui.schemas import KINDS

__all__ = ['add_error_handlers', 'busy', 'problem']

_TOLD = 3  # mistakes of one body
_LONGEST = 50  # characters of what was given
_SOURCES = (('body',), ('query',), ('path',))
_WAIT = '5'  # seconds
_STATUS: dict[type[Exception], int] = {GoneError: 404, FootageError: 410, BrokenIndexError: 500}


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Make an answer that tells what is wrong."""
    # What came may have been no text, such as half a letter.
    text = sentence.encode('utf-8', 'replace').decode()
    return JSONResponse({'detail': text}, status, headers)


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
    unique = list(dict.fromkeys(map(_mistake, error.errors())))
    more = f'; and {len(unique) - _TOLD} more' if len(unique) > _TOLD else ''
    return '; '.join(unique[:_TOLD]) + more


def _mistake(one: dict[str, Any]) -> str:
    """Say what is wrong with a field, as a visitor wrote it."""
    parts = one['loc'][1:] if one['loc'][:1] in _SOURCES else one['loc']
    place, given = '.'.join(str(part) for part in parts if part not in KINDS), one.get('input')
    if one['type'] == 'json_invalid':
        return f'the body is no JSON, from character {place} on'
    if 'UploadFile' in one['msg']:
        return f'{place}: must be a file, and not a text'
    told = f'{place or "the body"}: {one["msg"]}'
    if one['type'] == 'model_attributes_type' and isinstance(given, (str, bytes)):
        return f'{told}: send JSON, with "Content-Type: application/json"'
    named = one['type'] == 'extra_forbidden' or not isinstance(given, (str, int, float))
    text = '' if named else json.dumps(given, ensure_ascii=False)
    return f'{told}, not {text}' if 0 < len(text) <= _LONGEST else told
