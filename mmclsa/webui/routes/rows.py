"""A row of the index: crop, scene, and the seconds around it."""

from typing import Annotated, Optional

from fastapi import Path
from fastapi.responses import Response

from mmclsa.media import is_video
from mmclsa.utils.times import format_time
from mmclsa.webui.answers import rounded, sighting_detail
from mmclsa.webui.clips import Box, box_at, clip_frames, clip_times
from mmclsa.webui.footage import FRAME_SIDE, Scene
from mmclsa.webui.problems import GoneError
from mmclsa.webui.routes.common import (
    FOOTAGE,
    GONE,
    PICTURE,
    Service,
    Threads,
    make_router,
    picture_response,
)
from mmclsa.webui.schemas import Clip, ClipFrame, SceneInfo, SightingDetail
from mmclsa.webui.service import GalleryService, Sighting
from mmclsa.webui.settings import MAX_NUMBER
from mmclsa.webui.workers import Workers

router = make_router('rows')
RowPath = Annotated[int, Path(ge=0, le=MAX_NUMBER, description='Number of a row of the index.')]
FramePath = Annotated[int, Path(ge=0, le=MAX_NUMBER, description='Number of a frame, from 0.')]


@router.get('/rows/{row}', responses=GONE)
async def row(row: RowPath, service: Service, threads: Threads) -> SightingDetail:
    """Give a row of the index, with the frames behind it."""
    sighting = await threads.run('index', service.sighting, row)
    kept = await threads.run('index', service.kept_crop, row)
    return sighting_detail(sighting, kept is not None)


@router.get('/rows/{row}/crop', response_class=Response, responses={**PICTURE, **FOOTAGE})
async def crop(row: RowPath, service: Service, threads: Threads) -> Response:
    """Give the person, cut out: what the index has kept, or else out of the scene."""
    kept = await threads.run('index', service.kept_crop, row)
    if kept is None:
        record = (await threads.run('index', service.sighting, row)).record
        place = (record.source, record.frame, record.box)
        kept = await threads.read(record.source, service.footage.crop, *place)
    return picture_response(kept)


@router.get('/rows/{row}/scene', response_class=Response, responses={**PICTURE, **FOOTAGE})
async def scene(row: RowPath, service: Service, threads: Threads) -> Response:
    """Give the whole scene, its longer side at most 1600 pixels."""
    sighting = await threads.run('index', service.sighting, row)
    return picture_response((await _scene(sighting, service, threads)).data)


@router.get('/rows/{row}/scene.json', responses=FOOTAGE)
async def scene_info(row: RowPath, service: Service, threads: Threads) -> SceneInfo:
    """Tell where the person is in the scene."""
    sighting = await threads.run('index', service.sighting, row)
    whole, record = await _scene(sighting, service, threads), sighting.record
    return SceneInfo(
        width=whole.width,
        height=whole.height,
        box=rounded(record.box),
        frame=record.frame,
        time_text=format_time(record.time),
    )


@router.get('/rows/{row}/clip', responses=FOOTAGE)
async def clip(row: RowPath, service: Service, threads: Threads) -> Clip:
    """List the frames around a sighting; of a picture, itself."""
    sighting = await threads.run('index', service.sighting, row)
    frames, fps, step = await _clip(sighting, service, threads)
    times = clip_times(frames, sighting.record, sighting.behind, fps)
    return Clip(
        fps=round(fps / step, 3),
        frames=[
            ClipFrame(
                frame=frame,
                time_text=format_time(time),
                box=_as_list(box_at(sighting.behind, frame, fps)),
                url=f'/api/rows/{row}/frames/{frame}',
            )
            for frame, time in zip(frames, times)
        ],
    )


@router.get('/rows/{row}/frames/{frame}', response_class=Response, responses={**PICTURE, **FOOTAGE})
async def frame(row: RowPath, frame: FramePath, service: Service, threads: Threads) -> Response:
    """Give a frame of a clip, its longer side at most 960 pixels."""
    sighting = await threads.run('index', service.sighting, row)
    frames, *_ = await _clip(sighting, service, threads)
    if frame not in frames:
        raise GoneError(f'frame {frame} is not in the clip of row {row}')
    source = sighting.record.source
    found = await threads.read(source, service.footage.scene, source, frame, FRAME_SIDE)
    return picture_response(found.data)


def _as_list(box: Optional[Box]) -> Optional[list[float]]:
    return None if box is None else list(box)


async def _scene(sighting: Sighting, service: GalleryService, threads: Workers) -> Scene:
    source, frame = sighting.record.source, sighting.record.frame
    return await threads.read(source, service.footage.scene, source, frame)


async def _clip(
    sighting: Sighting, service: GalleryService, threads: Workers
) -> tuple[list[int], float, int]:
    """Give the frames of a clip, frames a second of the video, and the step between them."""
    record = sighting.record
    if not is_video(record.source):
        return [record.frame], 1.0, 1
    fps, count = await threads.read(record.source, service.footage.fps, record.source)
    frames = clip_frames(record.frame, record.first_frame, record.last_frame, fps, count)
    return frames, fps, frames[1] - frames[0] if len(frames) > 1 else 1
