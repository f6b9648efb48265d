"""Building a gallery: sources, decoding, the network, and what becomes of it."""

from mmclsa.gallery.building.builder import (
    BuildReport,
    IndexSink,
    build_gallery,
    pending_units,
    records_of,
)
from mmclsa.gallery.building.distributed import build_in_processes, share_of
from mmclsa.gallery.building.embedder import Embedder, QueryEmbedder
from mmclsa.gallery.building.job import BuildFile, Job, open_for_build
from mmclsa.gallery.building.pipeline import UnitResult, process_units
from mmclsa.gallery.building.prefetch import run_ahead
from mmclsa.gallery.building.progress import print_report, progress_bar
from mmclsa.gallery.building.ray_job import build_with_ray
from mmclsa.gallery.building.tracking import link_tracks
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit, plan_units
from mmclsa.media import Sampling
from mmclsa.utils.processes import is_launched

__all__ = [
    'BuildFile',
    'BuildReport',
    'Embedder',
    'IndexSink',
    'Job',
    'Plan',
    'QueryEmbedder',
    'Sampling',
    'SourceOptions',
    'Unit',
    'UnitResult',
    'build_gallery',
    'build_in_processes',
    'build_with_ray',
    'is_launched',
    'link_tracks',
    'open_for_build',
    'pending_units',
    'plan_units',
    'print_report',
    'process_units',
    'progress_bar',
    'records_of',
    'run_ahead',
    'share_of',
]
