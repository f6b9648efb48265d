"""Running exported models: NumPy, OpenCV and ONNX Runtime, no PyTorch and no OpenMMLab."""

from mmclsa.inference.onnx.letterbox import Letterbox
from mmclsa.inference.onnx.searcher import OnnxSearcher
from mmclsa.inference.onnx.sidecar import Detection, Graph, Sidecar

__all__ = ['Detection', 'Graph', 'Letterbox', 'OnnxSearcher', 'Sidecar']
