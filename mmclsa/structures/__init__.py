"""Plain data structures: scenes, queries, retrieval tasks and predictions."""

from mmclsa.structures.people import FoundPeople
from mmclsa.structures.predictions import Context, Predictions
from mmclsa.structures.protocol import Query, SearchProtocol, offsets_of
from mmclsa.structures.ranking import Ranking
from mmclsa.structures.scene import Scene

__all__ = [
    'Context',
    'FoundPeople',
    'Predictions',
    'Query',
    'Ranking',
    'Scene',
    'SearchProtocol',
    'offsets_of',
]
