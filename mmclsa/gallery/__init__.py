"""Gallery: an index of the people in footage, and its search."""

from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.manifest import ModelIdentity
from mmclsa.gallery.records import (
    GalleryRecord,
    Hit,
    record_schema,
    records_to_table,
    table_to_records,
)

__all__ = [
    'GalleryIndex',
    'GalleryRecord',
    'Hit',
    'ModelIdentity',
    'SearchFilter',
    'record_schema',
    'records_to_table',
    'table_to_records',
]
