"""Searching."""

import time

import numpy as np

from mmclsa.errors import UserError
from mmclsa.webui.answers import found_hits
from mmclsa.webui.routes.common import GONE, Service, Threads, make_router
from mmclsa.webui.schemas import PictureLook, SearchAnswer, SearchRequest
from mmclsa.webui.service import Answer, GalleryService
from mmclsa.webui.workers import Workers

router = make_router('search')


@router.post('/search', responses=GONE)
async def search(body: SearchRequest, service: Service, threads: Threads) -> SearchAnswer:
    """Look for a person in the index."""
    began = time.perf_counter()
    answer = await answer_of(body, service, threads)
    return SearchAnswer(
        hits=found_hits(answer),
        warnings=list(answer.warnings),
        seconds=round(time.perf_counter() - began, 6),
        searched=answer.searched,
        growing=answer.state,
    )


async def answer_of(body: SearchRequest, service: GalleryService, threads: Workers) -> Answer:
    """Carry out a search.

    Args:
        body: What is asked for.
        service: The gallery.
        threads: Where it runs.

    Raises:
        GoneError: If a picture, person or row is not there.
        UserError: If a box, a camera or a time makes no sense.
    """
    limits = (body.cameras, body.time_from, body.time_to)
    where = await threads.run('index', service.filter, *limits)
    looks = [
        await _describe(look, service, threads)
        for look in body.query
        if isinstance(look, PictureLook)
    ]
    rows = [look.row for look in body.query if not isinstance(look, PictureLook)]
    return await threads.run(
        'index',
        service.search,
        looks,
        rows,
        where,
        body.topk,
        body.unit,
        body.min_probability,
        body.confirmed,
        body.rejected,
    )


async def _describe(look: PictureLook, service: GalleryService, threads: Workers) -> np.ndarray:
    if (look.person is None) == (look.box is None):
        raise UserError('a picture of the query must have either "person" or "box"')
    if look.person is not None:
        return service.describe_person(look.picture, look.person)
    return await threads.run('model', service.describe_box, look.picture, look.box or [])
