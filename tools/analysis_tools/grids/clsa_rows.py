"""The rows of both beds of docs/alignment.md; crops_real.py and crops_drawn.py add theirs."""

head = 'model.reid.head.'
align = head + 'loss_align.'
baseline = 'three'
seeds = [0, 1, 2, 3, 4]
options = {head + 'loss_contrastive': None}
no_alignment = {head + 'loss_align': None}
one_level = {
    **no_alignment,
    head + 'num_levels': 1,
    'model.reid.neck.type': 'mmdet.FPN',
    'model.reid.neck.num_outs': 1,
}
oim = {
    head + 'loss_id': {
        '_delete_': True,
        'type': 'OIMLoss',
        # As the cosines of the real bed's linear classifier.
        'scale': 16.0,
        'label_smoothing': 0.1,
    }
}
pyramid = {'model.reid.test_sizes': [(72, 36), (96, 48), (128, 64)]}
ramp = {
    'default_hooks.ramp': {
        'type': 'LossWeightRampHook',
        'module': 'reid.head.loss_align',
        'begin': 2,
        'end': 4,
    }
}

rows = {
    # 1. Is it the alignment?
    'three': {'options': no_alignment},
    'clsa': {},
    'one': {'options': one_level},
    'one-wide': {'options': one_level},
    'reversed': {'options': {align + 'source': 'lowest'}},
    'all-to-all': {'options': {align + 'source': 'all'}},
    'undetached': {'options': {align + 'detach_source': False}},
    'feature-distance': {'options': {align + 'type': 'FeatureAlignmentLoss'}},
    # 4. Better than the paper?
    'mean-source': {'options': {align + 'source': 'mean'}},
    'best-source': {'options': {align + 'source': 'best'}},
    'confident-source': {'options': {align + 'trust': 'confidence'}},
    'right-source': {'options': {align + 'trust': 'right'}},
    'standardized': {'options': {align + 'standardize': True}},
    'relations': {'options': {align + 'type': 'RelationAlignmentLoss'}},
    'two-views': {'options': {**no_alignment, 'model.reid.second_view': 16}},
    'two-views-clsa': {'against': 'two-views', 'options': {'model.reid.second_view': 16}},
    'two-views-self': {
        'against': 'two-views',
        'options': {'model.reid.second_view': 16, align + 'source': 'self'},
    },
    # What a second view is worth beside as large a batch of other pictures.
    'double-batch': {'options': {**no_alignment, 'num_instances': 8}},
    'double-batch-clsa': {'against': 'double-batch', 'options': {'num_instances': 8}},
    # 2. How softly, how strongly?
    'T-1': {'options': {align + 'temperature': 1.0}},
    'T-2': {'options': {align + 'temperature': 2.0}},
    'T-5': {'options': {align + 'temperature': 5.0}},
    'T-10': {'options': {align + 'temperature': 10.0}},
    'weight-0.1': {'options': {align + 'loss_weight': 0.1}},
    'right-0.1': {'options': {align + 'loss_weight': 0.1, align + 'trust': 'right'}},
    'weight-0.5': {'options': {align + 'loss_weight': 0.5}},
    'weight-2': {'options': {align + 'loss_weight': 2.0}},
    'ramp': {'options': ramp},
    # 3. Which levels?
    'C4-C5': {'options': no_alignment},
    'C4-C5-clsa': {'against': 'C4-C5'},
    'C2-C5': {'options': no_alignment},
    'C2-C5-clsa': {'against': 'C2-C5'},
    # 4. Which descriptor?
    'three-top': {'weights_of': 'three', 'options': {head + 'feature': 'source'}},
    'three-level-0': {'weights_of': 'three', 'options': {head + 'feature': 'level_0'}},
    'three-level-1': {'weights_of': 'three', 'options': {head + 'feature': 'level_1'}},
    'clsa-top': {
        'weights_of': 'clsa',
        'against': 'clsa',
        'options': {head + 'feature': 'source'},
    },
    'clsa-level-0': {
        'weights_of': 'clsa',
        'against': 'clsa',
        'options': {head + 'feature': 'level_0'},
    },
    'clsa-level-1': {
        'weights_of': 'clsa',
        'against': 'clsa',
        'options': {head + 'feature': 'level_1'},
    },
    # 6. Image pyramid, scale augmentation.
    'one-pyramid': {'weights_of': 'one', 'against': 'one', 'options': pyramid},
    'three-pyramid': {'weights_of': 'three', 'options': pyramid},
    'clsa-pyramid': {'weights_of': 'clsa', 'against': 'clsa', 'options': pyramid},
    'no-downscale-one': {'options': one_level},
    'no-downscale-three': {'options': no_alignment},
    'no-downscale-clsa': {'against': 'no-downscale-three'},
    # 7. Other classifiers, and the contrastive loss of the product's recipe.
    'oim-three': {'options': {**no_alignment, **oim}},
    'oim-clsa': {'against': 'oim-three', 'options': oim},
    'contrastive-three': {
        'options': {
            **no_alignment,
            head + 'loss_contrastive': {'type': 'SupervisedContrastiveLoss', 'temperature': 0.1},
        }
    },
    'contrastive-clsa': {
        'against': 'contrastive-three',
        'options': {
            head + 'loss_contrastive': {'type': 'SupervisedContrastiveLoss', 'temperature': 0.1},
        },
    },
}
