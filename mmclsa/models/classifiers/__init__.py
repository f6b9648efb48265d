"""Identity classifiers: from an embedding to logits over identities, and their loss."""

from mmclsa.models.classifiers.base import IdentityClassifier
from mmclsa.models.classifiers.linear import LinearIdentityLoss
from mmclsa.models.classifiers.oim import OIMLoss, oim_logits

__all__ = ['IdentityClassifier', 'LinearIdentityLoss', 'OIMLoss', 'oim_logits']
