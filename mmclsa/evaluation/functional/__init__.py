"""Evaluation in NumPy and SciPy alone: no framework, no model."""

from mmclsa.evaluation.functional.average_precision import average_precision
from mmclsa.evaluation.functional.cbgm import context_match
from mmclsa.evaluation.functional.detection import (
    DetectionResult,
    evaluate_detection,
    mutual_best_matches,
)
from mmclsa.evaluation.functional.search import (
    SearchFlags,
    SearchResult,
    evaluate_search,
    match_threshold,
)

__all__ = [
    'DetectionResult',
    'SearchFlags',
    'SearchResult',
    'average_precision',
    'context_match',
    'evaluate_detection',
    'evaluate_search',
    'match_threshold',
    'mutual_best_matches',
]
