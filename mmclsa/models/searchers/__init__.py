"""Person searchers."""

from mmclsa.models.searchers.person_searcher import PersonSearcher
from mmclsa.models.searchers.training_boxes import TrainingBoxes, jitter_boxes, match_proposals

__all__ = ['PersonSearcher', 'TrainingBoxes', 'jitter_boxes', 'match_proposals']
