"""The former name of :mod:`mmclsa.media.pictures`."""

from mmclsa.media.pictures import MAX_PIXELS, as_bgr, read_header, read_picture
from mmclsa.media.suffixes import IMAGE_SUFFIXES

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'as_bgr', 'read_header', 'read_picture']
