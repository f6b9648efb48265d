# A grid of seconds, for the tests.
config = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
baseline = 'today'
start = 'today'
options = {
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'train_cfg.max_epochs': 1,
    'param_scheduler.1.T_max': 1,
    'model.reid.head.num_identities': 8,
    'train_dataloader.dataset.num_scenes': 8,
    'train_dataloader.dataset.num_identities': 8,
    'test_dataloader.dataset.num_scenes': 8,
    'test_dataloader.dataset.num_identities': 4,
    'test_evaluator.height_edges': (50.0,),
}
rows = {
    'today': {'seeds': [3]},
    'clip-apart': {
        'seeds': [3],
        'options': {
            'optim_wrapper.constructor': 'ClipApartConstructor',
            'optim_wrapper.paramwise_cfg': {'clip_apart': ['reid']},
        },
    },
}
