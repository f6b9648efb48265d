"""MOT->PETS with and without alignment, in boxes of the detector and of the ground truth.

No setting is chosen here: see docs/alignment.md.
"""

config = 'configs/clsa/clsa_mbv2_mot2pets.py'
baseline = 'plain-three'
seeds = [0, 1, 2]
# As fast as two cores allow; it changes the last bits alone.
options = {'model.reid.channels_last': True}
head = 'model.reid.head.'
no_alignment = {head + 'loss_align': None}
plain = {head + 'loss_id.cosine_scale': None}
# The best idea on both beds: a second view, which follows the first, at the beds' weight.
two_views_self = {
    'model.reid.second_view': 16,
    head + 'loss_align.source': 'self',
    head + 'loss_align.loss_weight': 1.0,
}
gt_boxes = {'options': {'model.use_gt_boxes': True}}
rows = {
    'plain-three': {'options': {**plain, **no_alignment}},
    'plain-clsa': {'options': plain},
    'plain-clsa-1': {'options': {**plain, head + 'loss_align.loss_weight': 1.0}},
    'cosine-three': {'options': no_alignment},
    'cosine-clsa': {'against': 'cosine-three'},  # as the config has it
    'cosine-self': {'against': 'cosine-three', 'options': two_views_self},
    'plain-three-gt': {'weights_of': 'plain-three', **gt_boxes},
    'plain-clsa-gt': {'weights_of': 'plain-clsa', 'against': 'plain-three-gt', **gt_boxes},
    'plain-clsa-1-gt': {'weights_of': 'plain-clsa-1', 'against': 'plain-three-gt', **gt_boxes},
    'cosine-three-gt': {'weights_of': 'cosine-three', **gt_boxes},
    'cosine-clsa-gt': {'weights_of': 'cosine-clsa', 'against': 'cosine-three-gt', **gt_boxes},
    'cosine-self-gt': {'weights_of': 'cosine-self', 'against': 'cosine-three-gt', **gt_boxes},
}
