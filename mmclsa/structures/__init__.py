"""Plain data structures: scenes, queries, retrieval tasks and predictions."""

from mmclsa.structures.people import FoundPeople
from mmclsa.structures.predictions import Context, Predictions
from mmclsa.structures.protocol import Query, SearchProtocol, offsets_of
from mmclsa.structures.ranking import Ranking
from mmclsa.structures.scene import Scene
from mmclsa.structures.sightings import PAIR_BINS, PairCounts, Stay, TrackFrames

__all__ = [
    'PAIR_BINS',
    'Context',
    'FoundPeople',
    'PairCounts',
    'Predictions',
    'Query',
    'Ranking',
    'Scene',
    'SearchProtocol',
    'Stay',
    'TrackFrames',
    'offsets_of',
]
