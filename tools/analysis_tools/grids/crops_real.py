"""What does the alignment buy on real people across scales? See docs/alignment.md."""

_base_ = './clsa_rows.py'
pictured = ['three', 'clsa', 'one', 'two-views']
config = 'configs/clsa/clsa-twostep_yolox-nano_mobilenetv2_1xb32-6e_mot-cross-scale.py'
task = 'mixed-to-mixed'
# A fold a seed: so every sequence is searched once, by models that did not see it.
each_seed = {'fold': [0, 1, 2, 3, 4]}
options = {
    'pairs': [('mixed', 'mixed')],
    'test_evaluator.height_edges': (32.0, 64.0, 128.0),
}
backbone, neck, head = 'model.reid.backbone.', 'model.reid.neck.', 'model.reid.head.'
top = {backbone + 'out_indices': (7,), neck + 'in_channels': [1280]}
two = {
    backbone + 'out_indices': (4, 7),
    neck + 'in_channels': [96, 1280],
    head + 'num_levels': 2,
}
four = {
    backbone + 'out_indices': (1, 2, 4, 7),
    neck + 'in_channels': [24, 32, 96, 1280],
    head + 'num_levels': 4,
}
no_downscale = {'train_dataloader.dataset.pipeline.4.prob': 0.0}
# Three times as long: it begins with nothing.
scratch = {
    backbone + 'init_cfg': None,
    backbone + 'frozen_stages': -1,
    backbone + 'norm_eval': False,
    'optim_wrapper.paramwise_cfg': None,
    'max_epochs': 18,
}
linear = {head + 'loss_id.cosine_scale': None}
rows = {
    'one': {'options': top},
    # As many parameters beside the backbone as three levels have: 2.7 million.
    'one-wide': {
        'options': {
            **top,
            neck + 'out_channels': 384,
            head + 'in_channels': 384,
            head + 'embed_dims': 768,
        }
    },
    'C4-C5': {'options': two},
    'C4-C5-clsa': {'options': two},
    'C2-C5': {'options': four},
    'C2-C5-clsa': {'options': four},
    'no-downscale-one': {'options': {**top, **no_downscale}},
    'no-downscale-three': {'options': no_downscale},
    'no-downscale-clsa': {'options': no_downscale},
    # Plain logits in place of scaled cosines.
    'linear-three': {'options': {**linear, head + 'loss_align': None}},
    'linear-clsa': {'against': 'linear-three', 'options': linear},
    'scratch-three': {'options': {**scratch, head + 'loss_align': None}},
    'scratch-clsa': {'against': 'scratch-three', 'options': scratch},
}
