"""Gallery: an index of the people in footage, and its search."""

from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.manifest import ModelFingerprint
from mmclsa.gallery.records import (
    GalleryRecord,
    Hit,
    record_schema,
    records_to_table,
    table_to_records,
)

ModelIdentity = ModelFingerprint  # its former name; an identity is a person

__all__ = [
    'GalleryIndex',
    'GalleryRecord',
    'Hit',
    'ModelFingerprint',
    'ModelIdentity',
    'SearchFilter',
    'record_schema',
    'records_to_table',
    'table_to_records',
]
