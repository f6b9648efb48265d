"""Saving the results of a search."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any, Optional

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from mmclsa.webui.exporting import results_csv, results_json, write_zip
from mmclsa.webui.routes.common import GONE, Service, Threads, make_router
from mmclsa.webui.routes.search import search
from mmclsa.webui.schemas import ExportRequest
from mmclsa.webui.service import GalleryService
from mmclsa.webui.workers import Workers

router = make_router('export')
_TYPES = {'json': 'application/json', 'csv': 'text/csv; charset=utf-8', 'zip': 'application/zip'}
_BLOCK = 1 << 20
_LOOK = 0.5  # seconds between two looks at whether anybody waits
_FILES: dict[str, Any] = {
    'application/json': {'schema': {'$ref': '#/components/schemas/SearchAnswer'}},
    'text/csv': {'schema': {'type': 'string'}},
    'application/zip': {'schema': {'type': 'string', 'format': 'binary'}},
}


@router.post(
    '/export',
    response_class=Response,
    responses={**GONE, 200: {'content': _FILES, 'description': 'The file.'}},
)
async def export(
    body: ExportRequest, request: Request, service: Service, threads: Threads
) -> Response:
    """Search, and give the results as a file; a ZIP has pictures and clips beside."""
    found = body.answer or await search(body, service, threads)
    answer = found.model_dump(mode='json')
    headers = {'Content-Disposition': f'attachment; filename="results.{body.format}"'}
    kind = _TYPES[body.format]
    if body.format == 'zip':
        stream = await _zip_while_wanted(request, answer, service, threads)
        if stream is None:
            return Response()
        return StreamingResponse(_blocks(stream), media_type=kind, headers=headers)
    if body.format == 'csv':
        return Response(results_csv(answer['hits']), media_type=kind, headers=headers)
    return Response(results_json(answer), media_type=kind, headers=headers)


async def _zip_while_wanted(
    request: Request, answer: dict[str, Any], service: GalleryService, threads: Workers
) -> Optional[IO[bytes]]:
    """Write the archive; stop, and give None, if the visitor has gone."""
    unwanted = threading.Event()
    args = (answer, service, threads, unwanted.is_set)
    job = asyncio.ensure_future(threads.run('export', _zipped, *args))
    try:
        while not (await asyncio.wait({job}, timeout=_LOOK))[0]:
            if await request.is_disconnected():
                return None
        return await job
    finally:
        unwanted.set()
        job.cancel()


def _zipped(
    answer: dict[str, Any],
    service: GalleryService,
    workers: Workers,
    unwanted: Callable[[], bool],
) -> IO[bytes]:
    """Write the archive into a file without a name, which goes when it is closed."""
    stream = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it)
    try:
        write_zip(stream, answer, service, workers, unwanted)
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return stream


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while block := stream.read(_BLOCK):
            yield block
