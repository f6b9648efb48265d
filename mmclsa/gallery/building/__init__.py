"""Building a gallery: sources, decoding, the network, and what becomes of it."""

from mmclsa.gallery.building.builder import (
    BuildReport,
    IndexSink,
    build_gallery,
    pending_units,
    records_of,
)
from mmclsa.gallery.building.embedder import Embedder, FoundPeople
from mmclsa.gallery.building.pictures import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    as_bgr,
    read_header,
    read_picture,
)
from mmclsa.gallery.building.pipeline import UnitResult, process_units
from mmclsa.gallery.building.prefetch import run_ahead
from mmclsa.gallery.building.sources import Plan, SourceOptions, Unit, list_files, plan_units
from mmclsa.gallery.building.tracking import link_tracks
from mmclsa.gallery.building.video import VIDEO_SUFFIXES, Sampling, VideoStream

__all__ = [
    'IMAGE_SUFFIXES',
    'MAX_PIXELS',
    'VIDEO_SUFFIXES',
    'BuildReport',
    'Embedder',
    'FoundPeople',
    'IndexSink',
    'Plan',
    'Sampling',
    'SourceOptions',
    'Unit',
    'UnitResult',
    'VideoStream',
    'as_bgr',
    'build_gallery',
    'link_tracks',
    'list_files',
    'pending_units',
    'plan_units',
    'process_units',
    'read_header',
    'read_picture',
    'records_of',
    'run_ahead',
]
