"""Using a trained model: the inferencer, queries, searching.

:mod:`mmclsa.inference.onnx` runs exported graphs without PyTorch and OpenMMLab;
:mod:`mmclsa.inference.export` makes them. The names here are imported when the first of them is
asked for, so that neither brings the other's packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmclsa.inference.boxes import as_boxes, check_boxes
    from mmclsa.inference.from_index import embedder_of_index
    from mmclsa.inference.inferencer import PersonSearchInferencer
    from mmclsa.inference.limits import search_filter
    from mmclsa.inference.opening import open_gallery
    from mmclsa.inference.people import PersonGroup, people_of_index
    from mmclsa.inference.probabilities import calibration_of
    from mmclsa.inference.queries import (
        QueryPerson,
        choose_first,
        choose_queries,
        describe_people,
        describe_queries,
        fuse_embeddings,
        list_people,
        queries_of_rows,
    )
    from mmclsa.inference.record_pictures import crops_of, decode_crop, load_record_pictures
    from mmclsa.inference.results import GalleryHits, time_span
    from mmclsa.inference.searching import rank_people, search, search_from_rows

__all__ = [
    'GalleryHits',
    'PersonGroup',
    'PersonSearchInferencer',
    'QueryPerson',
    'as_boxes',
    'calibration_of',
    'check_boxes',
    'choose_first',
    'choose_queries',
    'crops_of',
    'decode_crop',
    'describe_people',
    'describe_queries',
    'embedder_of_index',
    'fuse_embeddings',
    'list_people',
    'load_record_pictures',
    'open_gallery',
    'people_of_index',
    'queries_of_rows',
    'rank_people',
    'search',
    'search_filter',
    'search_from_rows',
    'time_span',
]

_MODULES = {
    'boxes': ('as_boxes', 'check_boxes'),
    'from_index': ('embedder_of_index',),
    'inferencer': ('PersonSearchInferencer',),
    'limits': ('search_filter',),
    'queries': (
        *('QueryPerson', 'choose_first', 'choose_queries', 'describe_people', 'describe_queries'),
        *('fuse_embeddings', 'list_people', 'queries_of_rows'),
    ),
    'opening': ('open_gallery',),
    'people': ('PersonGroup', 'people_of_index'),
    'probabilities': ('calibration_of',),
    'record_pictures': ('crops_of', 'decode_crop', 'load_record_pictures'),
    'results': ('GalleryHits', 'time_span'),
    'searching': ('rank_people', 'search', 'search_from_rows'),
}


if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f'{__name__}.{module}'), name)
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
