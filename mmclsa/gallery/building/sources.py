"""The former name of :mod:`mmclsa.gallery.building.units` and :mod:`mmclsa.media.sources`."""

from mmclsa.gallery.building.units import Plan, SourceOptions, Unit, plan_units
from mmclsa.media.sources import list_files

__all__ = ['Plan', 'SourceOptions', 'Unit', 'list_files', 'plan_units']
