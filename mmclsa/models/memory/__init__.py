"""Memories: buffers with an explicit update."""

from mmclsa.models.memory.identity_memory import (
    IdentityMemory,
    queue_slots,
    rank_among_equals,
)

__all__ = ['IdentityMemory', 'queue_slots', 'rank_among_equals']
