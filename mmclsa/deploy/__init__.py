"""The former name of :mod:`mmclsa.inference.onnx`.

Nothing here imports PyTorch or OpenMMLab; :mod:`mmclsa.deploy.export` does.
"""

from mmclsa.inference.onnx import Detection, Graph, Letterbox, OnnxSearcher, Sidecar

__all__ = ['Detection', 'Graph', 'Letterbox', 'OnnxSearcher', 'Sidecar']
