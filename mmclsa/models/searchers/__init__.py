"""Person searchers."""

from mmclsa.models.searchers.person_searcher import PersonSearcher
from mmclsa.models.searchers.training_boxes import TrainingBoxes, jitter_boxes, match_proposals
from mmclsa.models.searchers.tta import PersonSearchTTAModel, average_views

__all__ = [
    'PersonSearchTTAModel',
    'PersonSearcher',
    'TrainingBoxes',
    'average_views',
    'jitter_boxes',
    'match_proposals',
]
