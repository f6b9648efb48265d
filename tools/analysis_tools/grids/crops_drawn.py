"""What does the alignment buy on drawn people across scales? See docs/alignment.md."""

_base_ = './clsa_rows.py'
pictured = ['three', 'clsa', 'one', 'two-views']
config = 'configs/clsa/clsa-twostep_yolox-narrow_1xb32-8e_synthetic-hard-crops.py'
options = {'test_evaluator.height_edges': (48.0, 96.0, 192.0)}
backbone, neck, head = 'model.reid.backbone.', 'model.reid.neck.', 'model.reid.head.'
top = {backbone + 'out_indices': (3,), neck + 'in_channels': [128]}
two = {
    backbone + 'out_indices': (2, 3),
    neck + 'in_channels': [64, 128],
    head + 'num_levels': 2,
}
four = {
    backbone + 'out_indices': (0, 1, 2, 3),
    neck + 'in_channels': [16, 32, 64, 128],
    head + 'num_levels': 4,
}
no_downscale = {'train_dataloader.dataset.pipeline.3.prob': 0.0}
cosine = {head + 'loss_id.cosine_scale': 16.0}
rows = {
    'one': {'options': top},
    # As many parameters beside the backbone as three levels have: 160 thousand.
    'one-wide': {
        'options': {
            **top,
            neck + 'out_channels': 100,
            head + 'in_channels': 100,
            head + 'embed_dims': 192,
        }
    },
    'C4-C5': {'options': two},
    'C4-C5-clsa': {'options': two},
    'C2-C5': {'options': four},
    'C2-C5-clsa': {'options': four},
    'no-downscale-one': {'options': {**top, **no_downscale}},
    'no-downscale-three': {'options': no_downscale},
    'no-downscale-clsa': {'options': no_downscale},
    # Scaled cosines, as the real bed has them, in place of plain logits.
    'cosine-three': {'options': {**cosine, head + 'loss_align': None}},
    'cosine-clsa': {'against': 'cosine-three', 'options': cosine},
}
