# To choose settings for MOT->PETS: trained on MOT17 alone, searches TUD-Campus, shrunk like PETS.
_base_ = './clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot2pets.py'
num_identities = 137  # of mot17_mini; the 8 people of TUD-Campus are held out

model = dict(reid=dict(head=dict(num_identities=num_identities)))
train_dataloader = dict(
    dataset=dict(num_identities=num_identities, dataset=dict(sequences=['mot17_mini/*']))
)
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    # TUD's people are some 200 pixels tall, those of PETS 40 to 130.
    dict(type='RandomDownscale', min_height=40, prob=1.0),
    dict(type='KeepOriginalImage'),
    dict(type='mmdet.Resize', scale=(416, 416), keep_ratio=True),
    dict(type='mmdet.Pad', size=(416, 416), pad_val=dict(img=(114.0, 114.0, 114.0))),
    # Again, after Resize: ground truth and queries stay in original pixels.
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MOTChallengeDataset',
        data_root={{_base_.data_root}},
        sequences=['tud_campus'],
        # People walk; a second apart they look alike, so that is too easy.
        min_gap=20,
        query_every=10,
        test_mode=True,
        pipeline=test_pipeline,
    )
)
