"""Which training recipe is worth a week of a GPU? See docs/recipe.md.

Every run starts from the detector of the row `start`, as the headline starts from ImageNet.
"""

config = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
baseline = 'before'
start = 'start'
seeds = [0, 1, 2]
options = {
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    # A quarter of the drawn people each.
    'test_evaluator.height_edges': (36.0, 56.0, 85.0),
    # As the headline was before; the base has what won.
    'model.reid.head.num_stripes': 1,
    'model.reid.head.loss_id.loss_weight': 1.0,
    'model.reid.head.loss_align.loss_weight': 1.0,
}

no_alignment = {'model.reid.head.loss_align.loss_weight': 0.0}
no_reid = {**no_alignment, 'model.reid.head.loss_id.loss_weight': 0.0}
clip_apart = {
    'optim_wrapper.constructor': 'ClipApartConstructor',
    'optim_wrapper.paramwise_cfg': {'clip_apart': ['reid']},
}

ramp = {'type': 'LossWeightRampHook', 'module': 'reid.head.loss_align', 'begin': 1, 'end': 3}

rows = {
    # Other people and other scenes than those of all other rows.
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
    'before': {},
    'combined': {
        'options': {
            **no_alignment,
            'model.reid.head.num_stripes': 4,
            'model.reid.head.loss_id.loss_weight': 0.1,
        }
    },
    'no-alignment': {'options': no_alignment},
    'combined-aligned': {
        'options': {
            'model.reid.head.num_stripes': 4,
            'model.reid.head.loss_id.loss_weight': 0.1,
            'model.reid.head.loss_align.loss_weight': 0.1,
        }
    },
    'detector-alone': {'options': no_reid},
    'one-level': {
        'options': {
            **no_alignment,
            'model.reid.head.level_weights': [0.0, 0.0, 1.0],
            'model.reid.head.feature': 'source',
        }
    },
    'reid-weight-0.3': {
        'options': {
            'model.reid.head.loss_id.loss_weight': 0.3,
            'model.reid.head.loss_align.loss_weight': 0.3,
        }
    },
    'clip-apart': {'options': clip_apart},
    'backbone-share-0.1': {'options': {'model.reid.backbone_grad': 0.1}},
    'person-block': {'options': {'model.reid.head.person_block': True}},
    'refined-boxes': {'options': {'model.train_boxes.refined': True}},
    'late-alignment': {'options': {'default_hooks.ramp': ramp}},
    'reid-weight-0.1': {
        'options': {
            'model.reid.head.loss_id.loss_weight': 0.1,
            'model.reid.head.loss_align.loss_weight': 0.1,
        }
    },
    'level-weights': {'options': {'model.reid.head.level_weights': [0.5, 0.5, 1.0]}},
    'stripes-4': {'options': {'model.reid.head.num_stripes': 4}},
    'gem': {'options': {'model.reid.head.pool': 'gem'}},
    'adaptive-sampling': {'options': {'model.reid.sampling_ratio': 0}},
    # The bed warms up for an epoch of its 4, as peers do of their 20; the headline's 500 steps are
    # a fifth of an epoch.
    'short-warm-up': {'options': {'param_scheduler.0.end': 20}},
}
