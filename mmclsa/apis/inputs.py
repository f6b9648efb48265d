"""The former name of :mod:`mmclsa.media.inputs`."""

from mmclsa.inference.boxes import check_boxes
from mmclsa.media.inputs import InputsType, Picture, iterate_pictures, load_picture

__all__ = ['InputsType', 'Picture', 'check_boxes', 'iterate_pictures', 'load_picture']
