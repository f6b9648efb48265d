"""Uploading a picture, and who is in it."""

from pathlib import PureWindowsPath
from typing import Annotated

from fastapi import Path, Request, UploadFile
from fastapi.responses import Response

from mmclsa.errors import ConfigError
from mmclsa.webui.routes.common import (
    PICTURE,
    Service,
    Threads,
    make_router,
    picture_response,
)
from mmclsa.webui.schemas import PersonBox, PictureInfo

router = make_router('pictures')
PicturePath = Annotated[str, Path(max_length=64, description='As the upload was answered.')]
_LONGEST_NAME = 200


@router.post('/pictures')
async def upload(
    file: UploadFile, request: Request, service: Service, threads: Threads
) -> PictureInfo:
    """Find the people of a picture, which is kept for a while. Nobody may be in it."""
    _check_form([name for name, _ in (await request.form()).multi_items()])
    data = await file.read()
    key, stored = await threads.run('model', service.upload, data, _own_name(file.filename))
    people = zip(stored.people.boxes.tolist(), stored.people.scores.tolist())
    return PictureInfo(
        picture=key,
        name=stored.name,
        width=stored.width,
        height=stored.height,
        people=[
            PersonBox(number=number, box=[round(value, 2) for value in box], score=round(score, 6))
            for number, (box, score) in enumerate(people, 1)
        ],
    )


@router.get('/pictures/{picture}', response_class=Response, responses=PICTURE)
async def shown(picture: PicturePath, service: Service) -> Response:
    """Give an uploaded picture, upright, its longer side at most 1600 pixels."""
    return picture_response(service.pictures.get(picture).shown)


@router.get('/pictures/{picture}/people/{number}', response_class=Response, responses=PICTURE)
async def person(picture: PicturePath, number: int, service: Service) -> Response:
    """Give a person of an uploaded picture, cut out."""
    stored = service.pictures.get(picture)
    stored.check(number)
    return picture_response(stored.crops[number - 1])


def _check_form(names: list[str]) -> None:
    """Refuse what would be left out without a word."""
    other = next((name for name in names if name != 'file'), None)
    if other is not None:
        raise ConfigError(f'there is no field "{other[:_LONGEST_NAME]}" here, but "file"')
    if len(names) > 1:
        raise ConfigError(f'one picture is taken at a time, but {len(names)} came')


def _own_name(name: str | None) -> str:
    """Leave out folders, of Windows too, and what cannot be printed."""
    last = PureWindowsPath(name or '').name
    printable = ''.join(letter for letter in last if letter.isprintable())
    return printable[-_LONGEST_NAME:] or 'picture'
