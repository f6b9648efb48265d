# OIM: the embedding is a linear layer on the average of res5; batch norms are those of ImageNet.
_base_ = './faster-rcnn_r50-c4_roi-reid.py'
norm_cfg = dict(type='BN', requires_grad=False)

model = dict(
    detector=dict(
        backbone=dict(norm_cfg=norm_cfg, norm_eval=True),
        roi_head=dict(
            shared_head=dict(norm_cfg=norm_cfg, norm_eval=True), bbox_head=dict(pool='avg')
        ),
        train_cfg=dict(rcnn=dict(sampler=dict(pos_fraction=0.25))),
    ),
    reid=dict(
        head=dict(
            in_channels=[2048],
            pool='avg',
            batch_norm=False,
            loss_id=dict(scale=10),  # the paper's temperature of 0.1
        ),
    ),
)
