"""Using a trained model from Python."""

from mmclsa.apis.inferencer import PersonSearchInferencer
from mmclsa.apis.inputs import Picture, check_boxes, iterate_pictures, load_picture

__all__ = [
    'PersonSearchInferencer',
    'Picture',
    'check_boxes',
    'iterate_pictures',
    'load_picture',
]
