"""How strong may the alignment be before it costs something? See docs/recipe.md.

On the winners of the grid recipe.py, whose rows `start`, `combined` and `combined-aligned` it
repeats.
"""

config = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
baseline = 'combined'
start = 'start'
seeds = [0, 1, 2]
options = {
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'test_evaluator.height_edges': (36.0, 56.0, 85.0),
}
no_alignment = {'model.reid.head.loss_align': None}
no_reid = {**no_alignment, 'model.reid.head.loss_id.loss_weight': 0.0}
winners = {'model.reid.head.num_stripes': 4, 'model.reid.head.loss_id.loss_weight': 0.1}
rows = {
    'start': {
        'seeds': [0],
        'options': {
            **no_reid,
            'model.train_boxes.proposals': False,
            'train_cfg.max_epochs': 8,
            'param_scheduler.1.T_max': 8,
            'optim_wrapper.optimizer.lr': 0.04,
            'train_dataloader.dataset.first_identity': 5000,
            'train_dataloader.dataset.seed': 7,
        },
    },
    'combined': {'options': {**no_alignment, **winners}},
    'combined-aligned': {'options': {**winners, 'model.reid.head.loss_align.loss_weight': 0.1}},
    'aligned-0.01': {'options': {**winners, 'model.reid.head.loss_align.loss_weight': 0.01}},
    'aligned-T1': {
        'options': {
            **winners,
            'model.reid.head.loss_align.loss_weight': 0.1,
            'model.reid.head.loss_align.temperature': 1.0,
        }
    },
}
