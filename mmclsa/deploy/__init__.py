"""The former name of :mod:`mmclsa.inference.onnx`.

What makes graphs is in :mod:`mmclsa.inference.export`.
"""

from mmclsa.inference.onnx import Detection, Graph, Letterbox, OnnxSearcher, Sidecar

__all__ = ['Detection', 'Graph', 'Letterbox', 'OnnxSearcher', 'Sidecar']
