"""Which sightings are in the index."""

from typing import Annotated, Optional

from fastapi import Query

from mmclsa.webui.answers import listed_sightings
from mmclsa.webui.routes.common import Service, Threads, make_router
from mmclsa.webui.schemas import Sightings
from mmclsa.webui.service import NOBODY_THERE
from mmclsa.webui.settings import MAX_HITS, MAX_NUMBER, MAX_ROWS

router = make_router('rows')
_AFTER = 'Only rows with a larger number: the last of the page before.'


@router.get('/rows')
async def rows(
    service: Service,
    threads: Threads,
    camera: Annotated[Optional[list[str]], Query(max_length=MAX_ROWS)] = None,
    time_from: Annotated[Optional[str], Query(max_length=64)] = None,
    time_to: Annotated[Optional[str], Query(max_length=64)] = None,
    after: Annotated[int, Query(ge=-1, le=MAX_NUMBER, description=_AFTER)] = -1,
    limit: Annotated[int, Query(ge=1, le=MAX_HITS)] = 50,
) -> Sightings:
    """List the sightings of the index in the order of their rows, a page at a time."""
    where = await threads.run('index', service.filter, camera, time_from, time_to)
    listing = await threads.run('index', service.listing, where, after, limit)
    undated = await threads.run('index', service.undated, where)
    nobody = [] if listing.total or where.passes_all else [NOBODY_THERE]
    return Sightings(
        sightings=listed_sightings(listing), total=listing.total, warnings=[*nobody, *undated]
    )
