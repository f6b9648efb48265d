"""MMEngine's metrics around the functions."""

from mmclsa.evaluation.metrics.person_detection_metric import PersonDetectionMetric
from mmclsa.evaluation.metrics.person_search_metric import PersonSearchMetric, save_predictions

__all__ = ['PersonDetectionMetric', 'PersonSearchMetric', 'save_predictions']
