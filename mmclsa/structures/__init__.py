"""Plain data structures: scenes, queries and retrieval tasks."""

from mmclsa.structures.protocol import Query, SearchProtocol, offsets_of
from mmclsa.structures.scene import Scene

__all__ = ['Query', 'Scene', 'SearchProtocol', 'offsets_of']
