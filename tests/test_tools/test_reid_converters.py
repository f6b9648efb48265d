"""Converters of published re-ID networks: the embedding that the published tensors give."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import SwinTransformer
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from mmclsa.utils.backbones import crop_model, published_model
from mmclsa.utils.converting import convert_file, read_weights
from tests.fakes.published_reid import (
    draw,
    fast_reid_embedding,
    fast_reid_shapes,
    osnet_embedding,
    osnet_shapes,
)
from tests.helpers import REPO, assert_user_error
from tests.ranks import run_tool_forked


def converter(name):
    """Import a tool, for what it does without a process of its own."""
    path = REPO / 'tools' / 'model_converters' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'converter_{name}', path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def branch(network, file):
    """Build a published branch from a converted file, as its config does."""
    init_default_scope('mmclsa')
    cfg = published_model(network, str(file))['reid']
    del cfg['_delete_']
    reid = MODELS.build(cfg)
    reid.init_weights()
    return reid.eval()


def embed(reid, pictures):
    """Describe normalised pictures."""
    with torch.no_grad():
        return reid.describe_crops(pictures)


def spread(embeddings):
    """How unlike unit vectors are: an embedding that says nothing has 0."""
    return 1 - (embeddings @ embeddings.T).min()


@pytest.fixture
def pictures():
    """Noise of different sizes of grain, which the scales of a network tell apart."""
    generator = torch.Generator().manual_seed(1)
    grains = [torch.randn((1, 3, 64 // n, 32 // n), generator=generator) for n in (1, 4, 16)]
    return torch.cat([F.interpolate(grain, (64, 32)) for grain in grains])


OSNETS = [
    (1.0, 'plain', 'osnet-x1.0'),
    (0.75, 'plain', 'osnet-x0.75'),
    (0.5, 'plain', 'osnet-x0.5'),
    (0.25, 'plain', 'osnet-x0.25'),
    (1.0, 'ibn', 'osnet-ibn-x1.0'),
    (1.0, 'ain', 'osnet-ain-x1.0'),
    (0.25, 'ain', 'osnet-ain-x0.25'),
]


@pytest.mark.parametrize(('width', 'variant', 'name'), OSNETS)
def test_osnet_gives_the_published_embedding(width, variant, name, pictures, tmp_path, capsys):
    weights = draw(osnet_shapes(width, variant))
    theirs, ours = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
    torch.save({'state_dict': {f'module.{k}': v for k, v in weights.items()}, 'epoch': 9}, theirs)
    done = convert_file(theirs, ours, converter('torchreid').convert)
    assert done.network == name
    said = capsys.readouterr().out
    assert 'left out 2 tensors: classifier.weight, classifier.bias' in said
    assert f'network={name}' in said
    expected = F.normalize(osnet_embedding(weights, pictures, variant))
    assert spread(expected) > 1e-4
    torch.testing.assert_close(embed(branch(name, ours), pictures), expected, atol=1e-6, rtol=1e-5)


FAST_REID = [
    ({}, 'bot-r50'),
    (dict(ibn=True, non_local=True, gem=True), 'agw-r50-ibn'),
]


@pytest.mark.parametrize(('parts', 'name'), FAST_REID)
def test_fast_reid_gives_the_published_embedding(parts, name, pictures, tmp_path):
    weights = draw(fast_reid_shapes(**parts))
    theirs, ours = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
    extra = {'pixel_mean': torch.zeros(1, 3, 1, 1), 'pixel_std': torch.ones(1, 3, 1, 1)}
    torch.save({'model': {**weights, **extra}, 'iteration': 9}, theirs)
    done = convert_file(theirs, ours, converter('fast_reid').convert)
    assert done.network == name
    assert set(done.left_out) == {'heads.weight', *extra}
    expected = F.normalize(fast_reid_embedding(weights, pictures))
    assert spread(expected) > 1e-3
    torch.testing.assert_close(embed(branch(name, ours), pictures), expected, atol=2e-5, rtol=0)


def test_fast_reid_with_a_reduced_embedding(pictures):
    weights = draw(fast_reid_shapes(dims=16))
    done = converter('fast_reid').convert(weights, 'a.pth')
    assert done.network == ''  # no config has it
    cfg = published_model('bot-r50')['reid']
    del cfg['_delete_']
    cfg['head'] = {**cfg['head'], 'embed_dims': 16}
    init_default_scope('mmclsa')
    reid = MODELS.build(cfg).eval()
    missing, surplus = reid.load_state_dict(
        {k.removeprefix('reid.'): v for k, v in done.weights.items()}, strict=False
    )
    assert not surplus
    assert all('id_losses' in name for name in missing)
    expected = F.normalize(fast_reid_embedding(weights, pictures))
    torch.testing.assert_close(embed(reid, pictures), expected, atol=2e-5, rtol=0)


class Controlled(SwinTransformer):
    """SOLIDER's Swin, literally: what leaves a stage is scaled and shifted by the weight."""

    def forward(self, x, weights, semantic_weight):
        x, shape = self.patch_embed(x)
        blend = torch.tensor([semantic_weight, 1 - semantic_weight])
        for index, stage in enumerate(self.stages):
            x, shape, out, out_shape = stage(x, shape)
            w, b = (
                F.linear(
                    blend,
                    weights[f'base.semantic_embed_{part}.{index}.weight'],
                    weights[f'base.semantic_embed_{part}.{index}.bias'],
                )
                for part in 'wb'
            )
            x = x * F.softplus(w) + b
        return self.norm3(out).view(-1, *out_shape, self.num_features[3]).mean((1, 2))


@pytest.fixture(scope='module')
def solider():
    """A Swin-tiny by SOLIDER's names, and its network."""
    torch.manual_seed(0)
    swin = Controlled()
    swin.eval()
    channels = swin.num_features
    weights = {f'base.{name}': tensor for name, tensor in swin.state_dict().items()}
    for index in range(4):
        count = channels[min(index + 1, 3)]
        for part in 'wb':
            weights[f'base.semantic_embed_{part}.{index}.weight'] = torch.randn(count, 2)
            weights[f'base.semantic_embed_{part}.{index}.bias'] = torch.randn(count)
    neck = dict(weight=1.0, bias=0.0, running_mean=0.0, running_var=1.0)
    weights.update({f'bottleneck.{k}': torch.full((channels[3],), v) for k, v in neck.items()})
    return {**weights, 'classifier.weight': torch.randn(5, channels[3])}, swin


class TestSolider:
    def test_gives_the_published_embedding(self, solider, pictures, tmp_path):
        weights, swin = solider
        theirs, ours = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
        torch.save(weights, theirs)
        tool = converter('solider')
        done = convert_file(theirs, ours, lambda w, path: tool.convert(w, path, 0.2))
        assert (done.network, done.left_out) == ('solider-swin-t', ['classifier.weight'])
        with torch.no_grad():
            expected, other = (F.normalize(swin(pictures, weights, w)) for w in (0.2, 0.9))
        assert not torch.allclose(expected, other, atol=1e-2)
        found = embed(branch('solider-swin-t', ours), pictures)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)

    def test_of_the_pre_training_alone(self, solider, tmp_path):
        weights = {k: v for k, v in solider[0].items() if k.startswith('base.')}
        backbone = {f'module.backbone.{k.removeprefix("base.")}': v for k, v in weights.items()}
        file = tmp_path / 'pretrained.pth'
        torch.save({'teacher': {**backbone, 'module.head.mlp.0.weight': torch.ones(2)}}, file)
        done = converter('solider').convert(read_weights(file), file, 0.2)
        assert done.network == ''
        assert done.left_out == ['head.mlp.0.weight']
        assert all(name.startswith('reid.backbone.') for name in done.weights)


class TestFaults:
    @pytest.mark.parametrize('tool', ['torchreid', 'fast_reid', 'solider'])
    def test_of_another_network(self, tool):
        module = converter(tool)
        more = (0.2,) if tool == 'solider' else ()
        with pytest.raises(ConfigError, match=r'a\.pth'):
            module.convert({'encoder.weight': torch.ones(3)}, 'a.pth', *more)

    def test_a_name_that_is_unknown(self):
        weights = {**draw(osnet_shapes(0.25, 'plain')), 'conv2.0.extra.weight': torch.ones(2)}
        with pytest.raises(ConfigError, match=r'1 tensor is none of them: conv2\.0\.extra\.weight'):
            converter('torchreid').convert(weights, 'a.pth')

    def test_a_tensor_that_is_missing(self):
        weights = draw(osnet_shapes(0.25, 'ain'))
        del weights['pool3.0.bn.running_var']
        with pytest.raises(ConfigError, match=r'lacks 1 tensor .*transitions\.1\.bn\.running_var'):
            converter('torchreid').convert(weights, 'a.pth')

    def test_a_tensor_of_another_shape(self):
        weights = draw(osnet_shapes(0.25, 'plain'))
        weights['conv5.conv.weight'] = torch.ones(2, 2, 1, 1)
        with pytest.raises(ConfigError, match=r'must have the shape \(128, 128, 1, 1\)'):
            converter('torchreid').convert(weights, 'a.pth')

    def test_squeeze_and_excitation(self):
        weights = draw(fast_reid_shapes())
        weights['backbone.layer1.0.se.fc.0.weight'] = torch.ones(1)
        with pytest.raises(ConfigError, match='SE'):
            converter('fast_reid').convert(weights, 'a.pth')

    def test_the_command_says_what_is_wrong_with_a_part_of_a_file(self, tmp_path):
        whole, part = tmp_path / 'whole.pth', tmp_path / 'part.pth'
        torch.save(draw(osnet_shapes(0.25, 'plain')), whole)
        part.write_bytes(whole.read_bytes()[:5000])
        tool = 'tools/model_converters/torchreid.py'
        result = run_tool_forked(tool, part, '--out', tmp_path / 'out.pth')
        assert_user_error(result, 'part.pth')
        assert not (tmp_path / 'out.pth').exists()

    def test_a_file_that_was_not_converted(self, tmp_path):
        """MMEngine would say 'AssertionError' at best."""
        torch.save(draw(osnet_shapes(0.25, 'plain')), tmp_path / 'theirs.pth')
        with pytest.raises(ConfigError, match=r'must have tensors that are named reid\.\*'):
            branch('osnet-x0.25', tmp_path / 'theirs.pth')

    def test_a_file_of_another_width(self, tmp_path):
        """MMEngine would log a warning and describe people by random numbers."""
        torch.save(draw(osnet_shapes(0.25, 'plain')), tmp_path / 'theirs.pth')
        convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', converter('torchreid').convert)
        with pytest.raises(ConfigError, match='must have the shape'):
            branch('osnet-x0.5', tmp_path / 'ours.pth')


class TestAsTheBackboneOfCLSA:
    @pytest.fixture
    def ours(self, tmp_path):
        theirs, ours = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
        torch.save(draw(osnet_shapes(0.25, 'ain')), theirs)
        convert_file(theirs, ours, converter('torchreid').convert)
        return ours

    def build(self, name, file):
        init_default_scope('mmclsa')
        cfg = crop_model(name, str(file))['reid']
        del cfg['backbone']['_delete_']
        cfg['neck'].update(type='CLSANeck', out_channels=16)
        head = dict(type='MultiScaleReIDHead', num_identities=3, in_channels=16)
        return MODELS.build(dict(cfg, type='CropReID', head=head))

    def test_starts_from_the_published_stages(self, ours):
        reid = self.build('osnet-ain-x0.25', ours)
        reid.init_weights()
        expected = read_weights(ours)
        for name, tensor in reid.backbone.state_dict().items():
            assert torch.equal(tensor, expected[f'reid.backbone.{name}']), name

    def test_refuses_another_network(self, ours):
        with pytest.raises(ConfigError, match=r'lacks|must have the shape'):
            self.build('osnet-x0.25', ours).init_weights()


@pytest.mark.parametrize('path', sorted((REPO / 'configs' / 'reid').glob('*.py')), ids=str)
def test_configs_have_the_network_of_their_name(path):
    cfg = Config.fromfile(path)
    if cfg.model.reid.type != 'CropReID':
        pytest.skip('another branch')
    assert path.stem == f'{cfg.network}_yolox-nano'
    expected = published_model(cfg.network, cfg.reid_weights)['reid']
    del expected['_delete_']
    assert cfg.model.reid.to_dict() == expected
