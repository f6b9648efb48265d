"""FLOPs of a prediction, by MMEngine's analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.analysis import FlopAnalyzer
from torch import Tensor, nn

from mmclsa.engine.methods.prediction import Predictor

__all__ = ['Operations', 'count_operations']

# How a traced graph names a function of MMCV or another library that PyTorch cannot look into.
_COMPILED = 'prim::PythonOp.'


@dataclass(frozen=True)
class Operations:
    """Floating-point operations of one prediction.

    Attributes:
        total: Of convolutions, matrix products, normalisation, interpolation
            and pooling; a multiply-add is one, as in MMDetection's
            ``get_flops.py``.
        detector: Those within the part of the model called ``detector``.
        not_counted: Compiled operations that were met and have no count, by
            name, with how often. Element-wise operations are not listed.
    """

    total: float
    detector: float
    not_counted: Mapping[str, int]


class _Prediction(nn.Module):
    """A prediction as a function of the picture alone, which can be traced."""

    def __init__(self, model: Any, data_samples: Any) -> None:
        super().__init__()
        self.model = model
        self.data_samples = data_samples

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        found = self.model.predict(inputs, self.data_samples)[0].pred_instances
        return found.bboxes, found.embeddings


@torch.no_grad()
def count_operations(predictor: Predictor, place: int) -> Operations:
    """Trace the prediction of one picture and add up its operations.

    What is counted is what ran: the proposals of this picture, and as many
    people described as were detected in it.

    Args:
        predictor: A model and its pictures.
        place: Number of the picture.

    Returns:
        The operations.
    """
    batch = predictor.batch(place)
    traced = _Prediction(predictor.model, batch['data_samples']).eval()
    analysis = FlopAnalyzer(traced, (batch['inputs'],))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings('none')
    by_module = analysis.by_module()
    unknown = analysis.unsupported_ops()
    return Operations(
        total=float(analysis.total()),
        detector=float(by_module.get('model.detector', 0)),
        not_counted={
            name.removeprefix(_COMPILED): count
            for name, count in sorted(unknown.items())
            if name.startswith(_COMPILED)
        },
    )
