"""Detection figures of each data set, where several are tested together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmclsa.evaluation.functional import DetectionResult, evaluate_detection

__all__ = ['figures_by_name', 'figures_of_parts']


def figures_of_parts(
    dataset_meta: Mapping[str, Any] | None,
    found: Sequence[tuple[np.ndarray, np.ndarray]],
    score_thresh: float,
    iou_thresh: float = 0.5,
) -> dict[str, DetectionResult]:
    """Compute the detection figures of each data set, where there are several.

    Convention:
        As :func:`~mmclsa.evaluation.functional.evaluate_detection` on the scenes of
        each data set alone: of two with one person each, of whom one is found, the
        recall of the first is 1 and of the second 0, though that of both is 0.5.

    Args:
        dataset_meta: ``metainfo`` of the data set: ``scenes``, and ``parts``,
            how many of these each data set of a concatenated one has.
        found: For each scene its boxes (n, 4) and scores (n,).
        score_thresh: Detections below this score are left out.
        iou_thresh: Least IoU of a match.

    Returns:
        Figures by name of the data set; nothing where there is one alone.

    Example:
        >>> figures_of_parts({'scenes': []}, [], 0.01)
        {}
    """
    meta = dataset_meta or {}
    parts, start = {}, 0
    for name, count in (meta.get('parts') or {}).items():
        own = slice(start, start + count)
        parts[name] = evaluate_detection(meta['scenes'][own], found[own], score_thresh, iou_thresh)
        start += count
    return parts


def figures_by_name(parts: Mapping[str, DetectionResult]) -> dict[str, float]:
    """Name the figures of data sets as results are named.

    Example:
        >>> figures_by_name({'prw': DetectionResult(1.0, 0.5)})
        {'prw_detection/recall': 1.0, 'prw_detection/ap': 0.5}
    """
    return {
        f'{name}_detection/{figure}': value
        for name, part in parts.items()
        for figure, value in vars(part).items()
    }
