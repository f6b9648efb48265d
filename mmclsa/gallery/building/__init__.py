"""Building a gallery: sources, decoding, the network, and what becomes of it."""

from mmclsa.gallery.building.build_file import BuildCommand, BuildFile, open_for_build
from mmclsa.gallery.building.builder import Workers, build_gallery, fill_index, run_build
from mmclsa.gallery.building.embedder import Embedder, QueryEmbedder, find_people_in
from mmclsa.gallery.building.pipeline import InProcess
from mmclsa.gallery.building.prefetch import run_ahead
from mmclsa.gallery.building.progress import progress_bar
from mmclsa.gallery.building.ranks import build_in_ranks, plan_in_ranks
from mmclsa.gallery.building.ray_actors import RayActors
from mmclsa.gallery.building.report import BuildReport, print_report
from mmclsa.gallery.building.tracking import Tracker, link_tracks
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit, plan_units, split_units
from mmclsa.media import Sampling

__all__ = [
    'BuildCommand',
    'BuildFile',
    'BuildReport',
    'Embedder',
    'InProcess',
    'Plan',
    'QueryEmbedder',
    'RayActors',
    'Sampling',
    'SourceOptions',
    'Tracker',
    'Unit',
    'UnitResult',
    'Workers',
    'build_gallery',
    'build_in_ranks',
    'fill_index',
    'find_people_in',
    'link_tracks',
    'open_for_build',
    'plan_in_ranks',
    'plan_units',
    'print_report',
    'progress_bar',
    'run_ahead',
    'run_build',
    'split_units',
]
