"""Who is in the index."""

from typing import Annotated, Optional

from fastapi import Query

from mmclsa.inference.people import PersonGroup as FoundGroup
from mmclsa.utils.text import counted
from mmclsa.utils.times import format_time
from mmclsa.webui.answers import known
from mmclsa.webui.routes.common import Service, Threads, make_router
from mmclsa.webui.schemas import People, PersonGroup
from mmclsa.webui.service import NOBODY_THERE
from mmclsa.webui.settings import MAX_ROWS

router = make_router('people')
MAX_PEOPLE = 1000


@router.get('/people')
async def people(
    service: Service,
    threads: Threads,
    min_probability: Annotated[Optional[float], Query(ge=0, le=1)] = None,
    min_similarity: Annotated[Optional[float], Query(ge=-1, le=1)] = None,
    camera: Annotated[Optional[list[str]], Query(max_length=MAX_ROWS)] = None,
    time_from: Annotated[Optional[str], Query(max_length=64)] = None,
    time_to: Annotated[Optional[str], Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PEOPLE)] = 100,
) -> People:
    """Group the sightings of the index into people, those seen most often first."""
    where = await threads.run('index', service.filter, camera, time_from, time_to)
    limits = (where, min_probability, min_similarity)
    found, warnings = await threads.run('people', service.people, *limits)
    left = counted(len(found) - limit, 'more person is', 'more people are')
    more = [f'{left} not listed'] if len(found) > limit else []
    undated = await threads.run('index', service.undated, where)
    nobody = [] if found or where.passes_all else [NOBODY_THERE]
    groups = [_listed(number, group) for number, group in enumerate(found[:limit], 1)]
    return People(people=groups, warnings=[*warnings, *nobody, *undated, *more])


def _listed(number: int, group: FoundGroup) -> PersonGroup:
    return PersonGroup(
        number=number,
        rows=list(group.rows),
        best=group.best,
        crop=f'/api/rows/{group.best}/crop',
        cameras=group.cameras,
        time_from=known(group.time_from),
        time_to=known(group.time_to),
        time_from_text=format_time(group.time_from),
        time_to_text=format_time(group.time_to),
        num_sightings=group.num_sightings,
    )
