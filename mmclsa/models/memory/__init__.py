"""Memories: buffers with an explicit update."""

from mmclsa.models.memory.gather import gather_rows
from mmclsa.models.memory.identity_memory import (
    IdentityMemory,
    queue_slots,
    rank_among_equals,
)

__all__ = ['IdentityMemory', 'gather_rows', 'queue_slots', 'rank_among_equals']
