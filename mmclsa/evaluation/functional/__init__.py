"""Evaluation in NumPy and SciPy alone: no framework, no model.

Functions import SciPy when they are called: it takes a second, and command lines
are read with the flags and presets that are defined here.
"""

from mmclsa.evaluation.functional.average_precision import average_precision
from mmclsa.evaluation.functional.bcubed import BCubed, b_cubed
from mmclsa.evaluation.functional.calibration import Calibration, fit_calibration
from mmclsa.evaluation.functional.cbgm import context_match
from mmclsa.evaluation.functional.context import context_from_detections
from mmclsa.evaluation.functional.detection import (
    DetectionResult,
    detections_of_scenes,
    evaluate_detection,
    mutual_best_matches,
)
from mmclsa.evaluation.functional.expansion import expand_query
from mmclsa.evaluation.functional.feedback import refine_query
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.hits import match_threshold
from mmclsa.evaluation.functional.level_rankings import (
    compare_rankings,
    gallery_people,
    split_levels,
)
from mmclsa.evaluation.functional.levels import (
    LevelGain,
    js_divergences,
    kl_divergences,
    level_gain,
    rank_correlations,
    top_overlaps,
)
from mmclsa.evaluation.functional.notes import note_of_strangers
from mmclsa.evaluation.functional.open_set import OpenSetPoint, open_set_points
from mmclsa.evaluation.functional.paired import PairedDifference, compare_pairs, holm, sign_flip_p
from mmclsa.evaluation.functional.pairs import count_pairs
from mmclsa.evaluation.functional.people_groups import group_people, seen_together
from mmclsa.evaluation.functional.presets import (
    PRESETS,
    Preset,
    flags_for_thresholds,
    flags_of_metric,
    preset_flags,
)
from mmclsa.evaluation.functional.rankings import ORDERS, rank_queries, select_queries
from mmclsa.evaluation.functional.reliability import Reliability, measure_reliability
from mmclsa.evaluation.functional.rerank import k_reciprocal_distances
from mmclsa.evaluation.functional.results import Hits, SearchResult
from mmclsa.evaluation.functional.same_task import scenes_differ, tasks_differ
from mmclsa.evaluation.functional.score_normalisation import normalise_scores
from mmclsa.evaluation.functional.search import evaluate_search, evaluate_searches
from mmclsa.evaluation.functional.strata import (
    HEIGHT_EDGES,
    RATIO_EDGES,
    Stratum,
    by_height,
    by_height_ratio,
    precisions_by_height,
    precisions_by_height_ratio,
)
from mmclsa.evaluation.functional.tracking import IdentityScore, idf1

__all__ = [
    'HEIGHT_EDGES',
    'ORDERS',
    'PRESETS',
    'RATIO_EDGES',
    'BCubed',
    'Calibration',
    'DetectionResult',
    'Hits',
    'IdentityScore',
    'LevelGain',
    'OpenSetPoint',
    'PairedDifference',
    'Preset',
    'Reliability',
    'SearchFlags',
    'SearchResult',
    'Stratum',
    'average_precision',
    'b_cubed',
    'by_height',
    'by_height_ratio',
    'compare_pairs',
    'compare_rankings',
    'context_from_detections',
    'context_match',
    'count_pairs',
    'detections_of_scenes',
    'evaluate_detection',
    'evaluate_search',
    'evaluate_searches',
    'expand_query',
    'fit_calibration',
    'flags_for_thresholds',
    'flags_of_metric',
    'gallery_people',
    'group_people',
    'holm',
    'idf1',
    'js_divergences',
    'k_reciprocal_distances',
    'kl_divergences',
    'level_gain',
    'match_threshold',
    'measure_reliability',
    'mutual_best_matches',
    'normalise_scores',
    'note_of_strangers',
    'open_set_points',
    'precisions_by_height',
    'precisions_by_height_ratio',
    'preset_flags',
    'rank_correlations',
    'rank_queries',
    'refine_query',
    'scenes_differ',
    'seen_together',
    'select_queries',
    'sign_flip_p',
    'split_levels',
    'tasks_differ',
    'top_overlaps',
]
