"""What is in the index, and whether the server is there."""

from typing import Optional

from mmclsa.evaluation.functional import Calibration as Learnt
from mmclsa.inference.limits import clock_of
from mmclsa.utils.times import format_time
from mmclsa.version import __version__
from mmclsa.webui.answers import known
from mmclsa.webui.routes.common import Service, Threads, make_router
from mmclsa.webui.schemas import Calibration, Camera, Health, IndexInfo
from mmclsa.webui.settings import MAX_HITS

router = make_router('index')


@router.get('/health')
async def health() -> Health:
    """Say that the server is there; needs no password."""
    return Health(status='ok', version=__version__)


@router.get('/index')
async def index(service: Service, threads: Threads) -> IndexInfo:
    """Sum up the index, as it is by now."""
    summary = await threads.run('index', service.summary)
    contents = summary.contents
    return IndexInfo(
        rows=contents.people,
        sources=contents.sources,
        cameras=[Camera(name=name, count=count) for name, count in contents.cameras.items()],
        time_from=known(contents.time_from),
        time_to=known(contents.time_to),
        time_from_text=format_time(contents.time_from),
        time_to_text=format_time(contents.time_to),
        clock=clock_of(contents),
        unit=summary.unit,
        has_crops=summary.has_crops,
        calibration=_told(summary.calibration),
        growing=summary.state,
        max_upload_mb=service.limits.max_upload_mb,
        max_hits=MAX_HITS,
    )


def _told(learnt: Optional[Learnt]) -> Optional[Calibration]:
    if learnt is None:
        return None
    return Calibration(num_same=learnt.num_same, num_different=learnt.num_different)
