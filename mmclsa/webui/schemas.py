"""What goes over the wire: the bodies of requests and answers."""

# Without postponed annotations, which pydantic resolves at run time: Python 3.9 knows no X | None.
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from mmclsa.webui.settings import MAX_HITS, MAX_LOOKS, MAX_NUMBER, MAX_ROWS

__all__ = [
    'KINDS',
    'Calibration',
    'Camera',
    'Clip',
    'ClipFrame',
    'ExportRequest',
    'FoundHit',
    'Health',
    'IndexInfo',
    'People',
    'PersonBox',
    'PersonGroup',
    'PictureInfo',
    'PictureLook',
    'Problem',
    'RowLook',
    'SceneInfo',
    'SearchAnswer',
    'SearchRequest',
    'SightingDetail',
    'SightingFrame',
    'SightingInfo',
    'Sightings',
]

Box = Annotated[list[float], Field(min_length=4, max_length=4, description='x1 y1 x2 y2 in pixels')]
# True and "1" are no numbers.
Integer = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
StrictBox = Annotated[
    list[Number],
    Field(min_length=4, max_length=4, description='x1 y1 x2 y2 in pixels'),
]
Row = Annotated[int, Field(ge=0, le=MAX_NUMBER, strict=True)]
#: What a field may be where it may be one of two; in the places of mistakes, not in bodies.
KINDS = ('a look at a picture', 'a look at a row', 'a text', 'a number')


def _kind_of_look(given: Any) -> str:
    row = 'row' in given if isinstance(given, dict) else isinstance(given, RowLook)
    return KINDS[row]


def _kind_of_time(given: Any) -> str:
    return KINDS[2 + (type(given) in (int, float))]


Time = Optional[
    Annotated[
        Union[
            Annotated[str, Field(max_length=64), Tag(KINDS[2])], Annotated[Number, Tag(KINDS[3])]
        ],
        Discriminator(_kind_of_time),
    ]
]


class Body(BaseModel):
    """Of a request: names that nobody knows are mistakes."""

    model_config = ConfigDict(extra='forbid', allow_inf_nan=False)


class Problem(BaseModel):
    """What is wrong."""

    detail: str = Field(description='One sentence.')


class Health(BaseModel):
    """The server is there."""

    status: Literal['ok']
    version: str


class Camera(BaseModel):
    """A camera of the index."""

    name: str
    count: int = Field(description='Rows of this camera.')


class Calibration(BaseModel):
    """From how many pairs of the footage probabilities were learnt."""

    num_same: int
    num_different: int


class IndexInfo(BaseModel):
    """What is in the index."""

    rows: int
    sources: int = Field(description='Files.')
    cameras: list[Camera]
    time_from: Optional[float] = Field(description='Seconds since 1970 or a video began.')
    time_to: Optional[float]
    time_from_text: str
    time_to_text: str
    clock: Literal['utc', 'video', 'both', 'none'] = Field(
        description='Whether times are dates or count from the start of each video.'
    )
    unit: Literal['sighting', 'detection'] = Field(description='What a row is.')
    has_crops: bool
    calibration: Optional[Calibration]
    growing: str = Field(description='Changes when the index does.')
    max_upload_mb: int
    max_hits: int


class PersonBox(BaseModel):
    """A person in a picture."""

    number: int = Field(description='From 1.')
    box: Box
    score: float


class PictureInfo(BaseModel):
    """An uploaded picture and its people."""

    picture: str = Field(description='The name under which it is kept for a while.')
    name: str
    width: int
    height: int
    people: list[PersonBox]


def _only(name: str) -> dict[str, Any]:
    """Describe a look that tells who it is by one of two fields, and has null in the other."""
    kinds = {'person': 'integer', 'box': 'array'}
    types = {one: {'type': kind if one == name else 'null'} for one, kind in kinds.items()}
    return {'required': [name], 'properties': types}


class PictureLook(Body):
    """A person of an uploaded picture: by number, or by a box."""

    model_config = ConfigDict(json_schema_extra={'oneOf': [_only('person'), _only('box')]})

    picture: str = Field(max_length=64)
    person: Optional[int] = Field(None, ge=1, le=10_000, strict=True, description='From 1.')
    box: Optional[StrictBox] = None


class RowLook(Body):
    """A row of the index."""

    row: Row


Look = Annotated[
    Union[Annotated[PictureLook, Tag(KINDS[0])], Annotated[RowLook, Tag(KINDS[1])]],
    Discriminator(_kind_of_look),
]


class SearchRequest(Body):
    """Who is looked for, and where."""

    query: list[Look] = Field(min_length=1, max_length=MAX_LOOKS)
    confirmed: list[Row] = Field([], max_length=MAX_ROWS)
    rejected: list[Row] = Field([], max_length=MAX_ROWS)
    cameras: Optional[list[Annotated[str, Field(max_length=1000)]]] = Field(
        None, max_length=MAX_ROWS, description='Only these; null for all.'
    )
    time_from: Time = Field(
        None, description='Seconds, h:mm:ss since a video began, or 2024-05-06T07:08:09 (UTC).'
    )
    time_to: Time = None
    topk: int = Field(10, ge=1, le=MAX_HITS, strict=True)
    unit: Literal['sighting', 'frame'] = 'sighting'
    min_probability: Optional[Number] = Field(None, ge=0, le=1)


class SightingInfo(BaseModel):
    """A row of the index."""

    model_config = ConfigDict(allow_inf_nan=False)

    row: Row
    source: str = Field(
        description='Name of the file, with folders only where another file has that name.'
    )
    frame: Integer = Field(description='The best frame, from 0.')
    time: Optional[Number]
    time_text: str
    time_from: Optional[Number]
    time_to: Optional[Number]
    time_from_text: str
    time_to_text: str
    num_frames: Integer
    camera: str
    box: StrictBox
    score: Number
    track_id: Integer
    has_crop: bool = Field(
        strict=True, description='Whether the index has a crop, so that it is quick.'
    )
    crop: str = Field(description='Where the crop is.')


class FoundHit(SightingInfo):
    """A row that a search found."""

    rank: Integer = Field(ge=1, le=MAX_NUMBER, description='From 1.')
    similarity: Number = Field(description='Cosine.')
    probability: Optional[Number] = Field(description='Of being the same person.')


class SearchAnswer(BaseModel):
    """What a search found."""

    model_config = ConfigDict(allow_inf_nan=False)

    hits: list[FoundHit] = Field(max_length=MAX_HITS)
    warnings: list[str]
    seconds: Number
    searched: Integer = Field(description='Rows of the index.')
    growing: Optional[str] = Field(None, description='Of the index that was searched.')


class ExportRequest(SearchRequest):
    """A search whose results are to be saved."""

    format: Literal['json', 'csv', 'zip'] = 'json'
    answer: Optional[SearchAnswer] = Field(
        None, description='That of this search, to be saved as it is; null to search again.'
    )


class SightingFrame(BaseModel):
    """A frame behind a sighting."""

    frame: int
    time: Optional[float]
    box: Box
    score: float


class SightingDetail(SightingInfo):
    """A row of the index with the frames behind it."""

    behind: list[SightingFrame]


class SceneInfo(BaseModel):
    """Where a person is in a scene."""

    width: int = Field(description='Of the original picture, in whose pixels the box is.')
    height: int
    box: Box
    frame: int
    time_text: str


class ClipFrame(BaseModel):
    """A frame around a sighting."""

    frame: int
    time_text: str
    box: Optional[Box]
    url: str


class Clip(BaseModel):
    """The seconds around a sighting."""

    fps: float = Field(description='Frames of this clip a second.')
    frames: list[ClipFrame]


class Sightings(BaseModel):
    """Some rows of the index."""

    sightings: list[SightingInfo]
    total: int = Field(description='How many there are by these cameras at these times.')
    warnings: list[str]


class PersonGroup(BaseModel):
    """Somebody of the index."""

    number: int = Field(description='From 1.')
    rows: list[int] = Field(description='In the order in which they were seen.')
    best: int = Field(description='The row that shows the person best.')
    crop: str
    cameras: list[str]
    time_from: Optional[float]
    time_to: Optional[float]
    time_from_text: str
    time_to_text: str
    num_sightings: int


class People(BaseModel):
    """Who is in the index."""

    people: list[PersonGroup]
    warnings: list[str]
