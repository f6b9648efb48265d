"""Using a trained model: the inferencer, queries, searching.

:mod:`mmclsa.inference.onnx` runs exported graphs without PyTorch and OpenMMLab;
:mod:`mmclsa.inference.export` makes them. The names here are imported when the first of them is
asked for, so that neither brings the other's packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmclsa.inference.boxes import check_boxes
    from mmclsa.inference.from_index import embedder_of_index
    from mmclsa.inference.inferencer import PersonSearchInferencer
    from mmclsa.inference.queries import (
        QueryPerson,
        choose_first,
        choose_queries,
        describe_queries,
        fuse_embeddings,
        list_people,
    )
    from mmclsa.inference.results import GalleryHits, load_record_pictures
    from mmclsa.inference.searching import open_gallery, rank_people, search

__all__ = [
    'GalleryHits',
    'PersonSearchInferencer',
    'QueryPerson',
    'check_boxes',
    'choose_first',
    'choose_queries',
    'describe_queries',
    'embedder_of_index',
    'fuse_embeddings',
    'list_people',
    'load_record_pictures',
    'open_gallery',
    'rank_people',
    'search',
]

_MODULES = {
    'boxes': ('check_boxes',),
    'from_index': ('embedder_of_index',),
    'inferencer': ('PersonSearchInferencer',),
    'queries': (
        *('QueryPerson', 'choose_first', 'choose_queries', 'describe_queries'),
        *('fuse_embeddings', 'list_people'),
    ),
    'results': ('GalleryHits', 'load_record_pictures'),
    'searching': ('open_gallery', 'rank_people', 'search'),
}


if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f'{__name__}.{module}'), name)
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
