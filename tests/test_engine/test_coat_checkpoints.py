"""COAT's tensors under our names, and the transformer that they make.

There is no forward pass of COAT's own code to compare with: names and shapes
are those of its classes, and its transformer is written out here by PyTorch's
functions, on those names.
"""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.registry import MODELS
from tests.helpers import REPO, SHARED, needs_shared

PEOPLE, STRANGERS = 7, 5
SEQNET_KEYS = SHARED / 'golden' / 'seqnet_forward' / 'keys.json'


def linear(name, rows, columns, *kernel):
    return {f'{name}.weight': (rows, columns, *kernel), f'{name}.bias': (rows,)}


def norm(name, size, running=True):
    shapes = {f'{name}.weight': (size,), f'{name}.bias': (size,)}
    if running:
        shapes |= {f'{name}.running_mean': (size,), f'{name}.running_var': (size,)}
        shapes |= {f'{name}.num_batches_tracked': ()}
    return shapes


def block(name):
    shapes = norm(f'{name}.norm1', 128, False) | norm(f'{name}.norm2', 128, False)
    for part in ('query_embedding', 'value_embedding', 'key_embedding', 'output_linear'):
        shapes |= linear(f'{name}.attention.{part}', 128, 128)
    feed = f'{name}.ffn.conv'
    return shapes | linear(f'{feed}.0', 512, 128) | linear(f'{feed}.3', 128, 512)


def transformer_head(name):
    encoder = f'{name}.transformer_encoder'
    shapes = linear(f'{encoder}.output_linear.0', 512, 512, 3, 3)
    for number, kernel in ((1, 1), (2, 3)):
        scale = f'{encoder}.blocks.scale{number}.0'
        shapes |= block(f'{scale}.transblock') | block(f'{scale}.transformer.0')
        shapes |= linear(f'{scale}.patch2vec', 128, 256, kernel, kernel)
        shapes |= linear(f'{scale}.vec2patch.embedding', 256 * kernel**2, 128)
    for conv, rows, columns in (('conv0', 1024, 1024), ('conv1', 512, 1024), ('conv2', 2048, 512)):
        shapes[f'{name}.{conv}.weight'] = (rows, columns, 1, 1)
    return shapes


def coat_keys():
    """Name and shape of every tensor in a checkpoint of COAT."""
    seqnet = json.loads(SEQNET_KEYS.read_text())
    head = 'roi_heads.'
    # The backbone and the RPN are SeqNet's; its torchvision is older.
    shapes = {
        name.replace('conv.0.0', 'conv'): tuple(shape)
        for name, shape in seqnet.items()
        if not name.startswith(head)
    }
    for name in ('box_head', 'box_head_1st', 'box_head_2nd', 'box_head_3rd'):
        shapes |= transformer_head(head + name)
    first = f'{head}box_predictor_1st'
    shapes |= linear(f'{first}.cls_score', 2, 2048) | linear(f'{first}.bbox_pred', 8, 2048)
    for name in ('box_predictor', 'box_predictor_2nd', 'box_predictor_3rd'):
        shapes |= linear(f'{head}{name}.bbox_pred.0', 8, 2048)
        shapes |= norm(f'{head}{name}.bbox_pred.1', 8)
    for stage in ('2nd', '3rd'):
        embedding = f'{head}embedding_head_{stage}'
        for name, channels in (('before_trans', 1024), ('after_trans', 2048)):
            shapes |= linear(f'{embedding}.projectors.{name}.0', 128, channels)
            shapes |= norm(f'{embedding}.projectors.{name}.1', 128)
        shapes |= norm(f'{embedding}.rescaler', 1)
        shapes[f'{head}reid_loss_{stage}.lut'] = (PEOPLE, 256)
        shapes[f'{head}reid_loss_{stage}.cq'] = (STRANGERS, 256)
    return shapes


@pytest.fixture(scope='module')
def peer():
    """COAT's tensors, of which nobody may change one."""
    generator = torch.Generator().manual_seed(0)

    def draw(name, shape):
        if not shape:
            return torch.tensor(3)
        values = torch.randn(shape, generator=generator) * 0.05
        return values.abs() + 0.5 if name.endswith('running_var') else values

    tensors = {name: draw(name, shape) for name, shape in coat_keys().items()}
    # One module by two names is one tensor.
    for name in tensors:
        for one, other in (
            ('box_head_1st.', 'box_head.'),
            ('box_predictor_2nd.', 'box_predictor.'),
            ('.transformer.0.', '.transblock.'),
        ):
            if one in name:
                tensors[name.replace(one, other)] = tensors[name]
    return tensors


def run_converter(peer, run_tool_here, folder):
    torch.save({'model': peer, 'epoch': 13}, folder / 'peer.pth')
    out = folder / 'ours.pth'
    run_tool_here('tools/model_converters/coat.py', folder / 'peer.pth', '--out', out)
    return torch.load(out, weights_only=True)['state_dict']


def peer_levels(peer, stage, aligned):
    """What embeds and detects in a stage, in evaluation, by the peer's tensors."""

    def layer(function, name, inputs, **options):
        return function(inputs, peer[f'{name}.weight'], peer.get(f'{name}.bias'), **options)

    def normed(name, tokens):
        return F.layer_norm(tokens, (128,), peer[f'{name}.weight'], peer[f'{name}.bias'])

    name = f'roi_heads.box_head_{stage}'
    reduced = layer(F.conv2d, f'{name}.conv1', aligned)
    parts = []
    for number, part in enumerate(reduced.chunk(2, dim=1), start=1):
        kernel = dict(kernel_size=2 * number - 1, padding=number - 1)
        scale = f'{name}.transformer_encoder.blocks.scale{number}.0'
        tokens = layer(F.conv2d, f'{scale}.patch2vec', part, padding=number - 1)
        tokens = normed(f'{scale}.transformer.0.norm1', tokens.flatten(2).transpose(1, 2))
        own = f'{scale}.transformer.0.attention'
        heads = [
            layer(F.linear, f'{own}.{asked}_embedding', tokens)
            .unflatten(2, (8, 16))
            .transpose(1, 2)
            for asked in ('query', 'key', 'value')
        ]
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        tokens = tokens + layer(F.linear, f'{own}.output_linear', mixed)
        feed = f'{scale}.transformer.0.ffn.conv'
        inner = layer(F.linear, f'{feed}.0', normed(f'{scale}.transformer.0.norm2', tokens)).relu()
        tokens = tokens + layer(F.linear, f'{feed}.3', inner)
        patches = layer(F.linear, f'{scale}.vec2patch.embedding', tokens).transpose(1, 2)
        parts.append(part + F.fold(patches, part.shape[2:], **kernel))
    upper = layer(F.conv2d, f'{name}.conv2', reduced + torch.cat(parts, dim=1))
    return layer(F.conv2d, f'{name}.conv0', aligned), upper


@needs_shared
@torch.no_grad()
def test_every_tensor_has_its_place(peer, run_tool_here, tmp_path):
    ours = run_converter(peer, run_tool_here, tmp_path)
    init_default_scope('mmclsa')
    cfg = Config.fromfile(REPO / 'configs' / '_base_' / 'models' / 'coat_r50.py')
    cfg.merge_from_dict(
        {
            'model.reid.head.num_identities': PEOPLE,
            'model.reid.head.loss_id.queue_size': STRANGERS,
            'model.detector.backbone.init_cfg': None,
        }
    )
    searcher = MODELS.build(cfg.model).eval()
    searcher.load_state_dict(ours)
    head = searcher.detector.roi_head
    aligned = torch.randn(3, 1024, 14, 14, generator=torch.Generator().manual_seed(1))
    _, upper = peer_levels(peer, '1st', aligned)
    torch.testing.assert_close(head.shared_head(aligned), upper, atol=1e-4, rtol=1e-4)
    scores, deltas = head.bbox_head(upper)
    pooled = upper.amax(dim=(2, 3))
    predictor = 'roi_heads.box_predictor_1st'
    expected = F.linear(
        pooled, peer[f'{predictor}.cls_score.weight'], peer[f'{predictor}.cls_score.bias']
    )
    torch.testing.assert_close(scores, expected.flip(1))  # the person comes first here
    expected = F.linear(
        pooled, peer[f'{predictor}.bbox_pred.weight'], peer[f'{predictor}.bbox_pred.bias']
    )
    torch.testing.assert_close(deltas, expected[:, 4:])
    units = []
    for stage, name, embedder in (
        (head.second_stage, '2nd', searcher.reid.head.stages[0]),
        (head.third_stage, '3rd', searcher.reid.head.stages[1]),
    ):
        levels = peer_levels(peer, name, aligned)
        for found, expected in zip(stage.levels(aligned), levels):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        vector = torch.cat(
            [
                normalised(peer, f'roi_heads.embedding_head_{name}.projectors.{part}', level)
                for part, level in zip(('before_trans', 'after_trans'), levels)
            ],
            dim=1,
        )
        rescaler = f'roi_heads.embedding_head_{name}.rescaler'
        length = batch_norm(peer, rescaler, vector.norm(dim=1, keepdim=True))
        torch.testing.assert_close(stage.norm_score(vector)[:, :1], length)
        deltas = normalised(peer, f'roi_heads.box_predictor_{name}.bbox_pred', levels[1])
        torch.testing.assert_close(stage.bbox_head(levels[1])[1], deltas[:, 4:])
        units.append(F.normalize(vector))
        memory = embedder.id_losses[0].memory
        assert torch.equal(memory.table, peer[f'roi_heads.reid_loss_{name}.lut'])
        assert torch.equal(memory.queue, peer[f'roi_heads.reid_loss_{name}.cq'])
    both = torch.cat(units, dim=1) / 2**0.5
    torch.testing.assert_close(searcher.reid.head(head.levels(aligned)), both, atol=1e-4, rtol=0)


def batch_norm(peer, name, rows):
    parts = ('running_mean', 'running_var', 'weight', 'bias')
    return F.batch_norm(rows, *(peer[f'{name}.{part}'] for part in parts))


def normalised(peer, name, maps):
    """A linear layer (0) and a batch norm (1) of the pooled maps."""
    rows = F.linear(maps.amax(dim=(2, 3)), peer[f'{name}.0.weight'], peer[f'{name}.0.bias'])
    return batch_norm(peer, f'{name}.1', rows)


@needs_shared
class TestFaults:
    def refuse(self, tmp_path, run_tool_to_its_error, peer):
        path, out = tmp_path / 'peer.pth', tmp_path / 'ours.pth'
        torch.save({'model': peer}, path)
        sentence = run_tool_to_its_error('tools/model_converters/coat.py', path, '--out', out)
        assert not out.exists()
        assert str(path) in sentence
        return sentence

    def test_unknown_tensor(self, tmp_path, run_tool_to_its_error):
        name = 'roi_heads.box_head_2nd.transformer_encoder.blocks.scale3.0.patch2vec.bias'
        sentence = self.refuse(tmp_path, run_tool_to_its_error, {name: torch.ones(1)})
        assert f'the names of COAT, but 1 tensor is none of them: {name}' in sentence

    @pytest.mark.parametrize(
        ('missing', 'ours'),
        [
            ('roi_heads.box_head_3rd.conv0.weight', 'third_stage.shared_head.lower.weight'),
            ('roi_heads.box_predictor_2nd.bbox_pred.1.bias', 'second_stage.bbox_head.fc_reg.norm'),
            ('roi_heads.reid_loss_3rd.lut', 'reid.head.stages.1.id_losses.0.memory.table'),
        ],
    )
    def test_missing_tensor(self, peer, tmp_path, run_tool_to_its_error, missing, ours):
        weights = {name: tensor for name, tensor in peer.items() if name != missing}
        sentence = self.refuse(tmp_path, run_tool_to_its_error, weights)
        assert 'lacks 1 of' in sentence
        assert ours in sentence

    def test_another_method(self, tmp_path, run_tool_to_its_error):
        shapes = json.loads(SEQNET_KEYS.read_text())
        weights = {name: torch.zeros(shape) for name, shape in shapes.items() if len(shape) < 2}
        sentence = self.refuse(tmp_path, run_tool_to_its_error, weights)
        assert 'must have the names of COAT' in sentence
