"""Who is in the index."""

from typing import Annotated, Optional

from fastapi import Query

from mmclsa.utils.times import format_time
from mmclsa.webui.routes.common import Service, Threads, make_router
from mmclsa.webui.schemas import People, PersonGroup

router = make_router('people')
MAX_PEOPLE = 1000


@router.get('/people')
async def people(
    service: Service,
    threads: Threads,
    min_probability: Annotated[Optional[float], Query(ge=0, le=1)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PEOPLE)] = 100,
) -> People:
    """Group the sightings of the index into people, those seen most often first."""
    groups, warnings = await threads.run('people', service.people, min_probability, limit)
    return People(
        people=[
            PersonGroup(
                number=number,
                rows=group.rows,
                crop=f'/api/rows/{group.rows[0]}/crop',
                cameras=group.cameras,
                time_from_text=format_time(group.time_from),
                time_to_text=format_time(group.time_to),
                num_sightings=len(group.rows),
            )
            for number, group in enumerate(groups, 1)
        ],
        warnings=warnings,
    )
