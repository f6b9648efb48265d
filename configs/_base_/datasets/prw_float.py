# PRW, whose test pictures are resized without a rounding to whole numbers, as torchvision does it:
# the rounding moves an embedding of SeqNet's by 1e-4.
_base_ = './prw.py'

test_pipeline = [
    dict(type='LoadSceneImage', to_float32=True),
    dict(type='mmdet.Resize', scale={{_base_.image_scale}}, keep_ratio=True),
    # After Resize: ground truth and queries stay in original pixels.
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
