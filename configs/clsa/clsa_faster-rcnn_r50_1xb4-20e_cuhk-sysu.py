# CLSA on CUHK-SYSU: Faster R-CNN R50-FPN and SceneReID, 900x1500.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/cuhk_sysu.py',
    '../_base_/models/faster-rcnn_r50_scene-reid.py',
    '../_base_/schedules/schedule_20e.py',
]
model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
        )
    )
)
