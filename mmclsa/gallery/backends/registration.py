"""Registers the backends of mmclsa in ``INDEXES``."""

from mmclsa.gallery.backends.factory import BACKENDS
from mmclsa.registry import INDEXES

for backend in BACKENDS.values():
    INDEXES.register_module(module=backend)
