"""Making ONNX graphs of a trained model."""

from mmclsa.inference.export.exporting import OPSET, TOLERANCE, export_searcher, letterbox_of

__all__ = ['OPSET', 'TOLERANCE', 'export_searcher', 'letterbox_of']
