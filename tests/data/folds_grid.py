# Seconds: a fold a seed, and a row that is another's models tested otherwise.
config = 'configs/clsa/clsa-twostep_yolox-narrow_1xb32-8e_synthetic-hard-crops.py'
baseline = 'three'
seeds = [0, 1]
each_seed = {
    'test_dataloader.dataset.dataset.first_identity': [20000, 30000],
    'test_dataloader.dataset.dataset.num_scenes': [12, 16],
}
options = {
    'max_epochs': 1,
    'model.reid.crop_size': (48, 24),
    'model.reid.head.loss_align': None,
    'model.reid.head.num_identities': 16,
    'train_dataloader.sampler.num_batches': 2,
    'train_dataloader.sampler.num_persons': 4,
    'train_dataloader.batch_size': 16,
    'train_dataloader.dataset.num_identities': 16,
    'train_dataloader.dataset.dataset.num_identities': 16,
    'train_dataloader.dataset.dataset.num_scenes': 24,
    'test_dataloader.dataset.dataset.num_identities': 8,
    'test_evaluator.height_edges': (48.0,),
}
rows = {
    'low': {'weights_of': 'three', 'options': {'model.reid.head.feature': 'level_0'}},
    'three': {},
}
