"""Media: pictures, video and sources of footage; nothing of models or data sets."""

from mmclsa.media.inputs import (
    InputsType,
    InputType,
    Picture,
    as_inputs,
    iterate_pictures,
    load_picture,
)
from mmclsa.media.names import Named, NamePattern
from mmclsa.media.pictures import (
    MAX_PIXELS,
    Header,
    as_bgr,
    decode_bytes,
    decode_picture,
    picture_size,
    read_header,
    read_picture,
)
from mmclsa.media.sampling import Sampling
from mmclsa.media.sources import (
    LIST_SUFFIXES,
    Footage,
    absolute_source,
    find_footage,
    list_files,
)
from mmclsa.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_picture, is_video
from mmclsa.media.video import VideoReader
from mmclsa.media.walking import special_kind

__all__ = [
    'IMAGE_SUFFIXES',
    'LIST_SUFFIXES',
    'MAX_PIXELS',
    'VIDEO_SUFFIXES',
    'Footage',
    'Header',
    'InputType',
    'InputsType',
    'NamePattern',
    'Named',
    'Picture',
    'Sampling',
    'VideoReader',
    'absolute_source',
    'as_bgr',
    'as_inputs',
    'decode_bytes',
    'decode_picture',
    'find_footage',
    'is_picture',
    'is_video',
    'iterate_pictures',
    'list_files',
    'load_picture',
    'picture_size',
    'read_header',
    'read_picture',
    'special_kind',
]
