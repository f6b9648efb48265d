"""The rows that matter, end to end: alignment on drawn scenes. See docs/alignment.md.

Every run starts from the detector of the row `start`, as in recipe.py. The alignment weighs as much
as the identity loss (0.1) but in `clsa-0.01`, which is the config's own weight.
"""

config = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
baseline = 'three'
start = 'start'
seeds = [0, 1, 2, 3, 4]
options = {
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'test_evaluator.height_edges': (36.0, 56.0, 85.0),
}
head = 'model.reid.head.'
align = head + 'loss_align.'
no_alignment = {head + 'loss_align': None}
as_strong = {align + 'loss_weight': 0.1}
rows = {
    'start': {
        'seeds': [0],
        'options': {
            **no_alignment,
            head + 'loss_id.loss_weight': 0.0,
            'model.train_boxes.proposals': False,
            'train_cfg.max_epochs': 8,
            'param_scheduler.1.T_max': 8,
            'optim_wrapper.optimizer.lr': 0.04,
            'train_dataloader.dataset.first_identity': 5000,
            'train_dataloader.dataset.seed': 7,
        },
    },
    'three': {'options': no_alignment},
    'clsa': {'options': as_strong},
    'clsa-0.01': {},
    'one': {
        'options': {
            **no_alignment,
            head + 'level_weights': [0.0, 0.0, 1.0],
            head + 'feature': 'source',
        }
    },
    'unlabelled': {'options': {**as_strong, head + 'align_unlabeled': True}},
    'queue': {'options': {**as_strong, head + 'align_queue': True}},
    'unlabelled-queue': {
        'options': {**as_strong, head + 'align_unlabeled': True, head + 'align_queue': True}
    },
    'right-source': {'options': {**as_strong, align + 'trust': 'right'}},
    'mean-source': {'options': {**as_strong, align + 'source': 'mean'}},
    'best-source': {'options': {**as_strong, align + 'source': 'best'}},
    'standardized': {'options': {**as_strong, align + 'standardize': True}},
    'relations': {'options': {**as_strong, align + 'type': 'RelationAlignmentLoss'}},
}
