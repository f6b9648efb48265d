default_scope = 'mmclsa'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # By name, unlike custom_hooks, so that a config that adds hooks keeps these.
    identity_check=dict(type='IdentityCheckHook'),
    finite_loss=dict(type='FiniteLossHook'),
    # One model on all processes when it is validated or saved.
    average_buffers=dict(type='AverageBuffersHook'),
    # latest.pth in the middle of an epoch, and when the cluster takes the machine back.
    interim=dict(type='InterimCheckpointHook', minutes=10),
)

# A fixed seed: two runs of one config are the same run, to the bit on a CPU.
randomness = dict(seed=0)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds that processes wait for each other, such as while one writes or evaluates.
    dist_cfg=dict(backend='nccl', timeout=1800),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='mmdet.DetLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

log_level = 'INFO'
load_from = None
resume = False
