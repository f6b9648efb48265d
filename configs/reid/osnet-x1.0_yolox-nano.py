# OSNet as torchreid publishes it, behind YOLOX-nano; tested on PETS, not trained here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/pets.py',
    '../_base_/models/yolox-nano_published-reid.py',
]

train_cfg = None
train_dataloader = None
optim_wrapper = None
val_cfg = None
val_dataloader = None
val_evaluator = None
test_cfg = dict(type='TestLoop')
