"""Using a trained model from Python."""

from mmclsa.apis.from_index import inferencer_of_index
from mmclsa.apis.inferencer import PersonSearchInferencer
from mmclsa.apis.inputs import Picture, check_boxes, iterate_pictures, load_picture
from mmclsa.apis.queries import choose_first, choose_queries, list_people
from mmclsa.apis.results import SearchResult, load_scenes
from mmclsa.apis.searching import QueryPerson, fuse_embeddings, open_gallery, rank_people
from mmclsa.gallery.building import FoundPeople

__all__ = [
    'FoundPeople',
    'PersonSearchInferencer',
    'Picture',
    'QueryPerson',
    'SearchResult',
    'check_boxes',
    'choose_first',
    'choose_queries',
    'fuse_embeddings',
    'inferencer_of_index',
    'iterate_pictures',
    'list_people',
    'load_picture',
    'load_scenes',
    'open_gallery',
    'rank_people',
]
