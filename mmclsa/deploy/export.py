"""The former name of :mod:`mmclsa.inference.export`."""

from mmclsa.inference.export import OPSET, TOLERANCE, export_searcher, letterbox_of

__all__ = ['OPSET', 'TOLERANCE', 'export_searcher', 'letterbox_of']
