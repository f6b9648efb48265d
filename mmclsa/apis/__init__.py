"""The former name of :mod:`mmclsa.inference`."""

from mmclsa.inference import (
    GalleryHits,
    PersonSearchInferencer,
    QueryPerson,
    check_boxes,
    choose_first,
    choose_queries,
    describe_queries,
    embedder_of_index,
    fuse_embeddings,
    list_people,
    load_record_pictures,
    open_gallery,
    rank_people,
)
from mmclsa.media import Picture, iterate_pictures, load_picture

__all__ = [
    'GalleryHits',
    'PersonSearchInferencer',
    'Picture',
    'QueryPerson',
    'check_boxes',
    'choose_first',
    'choose_queries',
    'describe_queries',
    'embedder_of_index',
    'fuse_embeddings',
    'iterate_pictures',
    'list_people',
    'load_picture',
    'load_record_pictures',
    'open_gallery',
    'rank_people',
]
