"""Packages that only some parts need; see :mod:`mmclsa.utils.optional`."""

from mmclsa.utils.optional import import_optional

__all__ = ['import_optional']
