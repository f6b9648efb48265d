"""Leaving the framework: running exported models.

Nothing here imports PyTorch or OpenMMLab; :mod:`mmclsa.deploy.export` does.
"""

from mmclsa.deploy.letterbox import Letterbox
from mmclsa.deploy.searcher import OnnxSearcher
from mmclsa.deploy.sidecar import Detection, Graph, Sidecar

__all__ = ['Detection', 'Graph', 'Letterbox', 'OnnxSearcher', 'Sidecar']
