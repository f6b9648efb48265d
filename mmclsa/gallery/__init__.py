"""Gallery: an index of the people in footage, and its search."""

from mmclsa.gallery.contents import Contents
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.manifest import ModelFingerprint
from mmclsa.gallery.records import GalleryRecord, Hit
from mmclsa.gallery.retention import Forgotten, forget_older_than

ModelIdentity = ModelFingerprint  # its former name; an identity is a person

__all__ = [
    'Contents',
    'Forgotten',
    'GalleryIndex',
    'GalleryRecord',
    'Hit',
    'ModelFingerprint',
    'ModelIdentity',
    'SearchFilter',
    'forget_older_than',
]
