"""Using a trained model from Python."""

from mmclsa.apis.boxes import check_boxes
from mmclsa.apis.from_index import embedder_of_index
from mmclsa.apis.inferencer import PersonSearchInferencer
from mmclsa.apis.queries import choose_first, choose_queries, list_people
from mmclsa.apis.results import GalleryHits, load_record_pictures
from mmclsa.apis.searching import (
    QueryPerson,
    describe_queries,
    fuse_embeddings,
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
