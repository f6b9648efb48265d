"""OSNet, and the ResNet of re-ID networks, as backbones."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.backbones import ResNet

from mmclsa.errors import ConfigError
from mmclsa.models import OSNet, ReIDResNet


@pytest.mark.parametrize(
    ('width', 'channels', 'millions'),
    # Of the paper's table: with the layer that makes the embedding of 512 numbers.
    [(1.0, 512, 2.2), (0.75, 384, 1.3), (0.5, 256, 0.6), (0.25, 128, 0.2)],
)
def test_osnet_has_the_size_of_the_paper(width, channels, millions):
    embedding = channels * 512 + 512 + 2 * 512
    count = sum(p.numel() for p in OSNet(width).parameters()) + embedding
    assert round(count / 1e6, 1) == millions


def test_one_map_a_stage():
    pictures = torch.rand(2, 3, 96, 64)
    torch.manual_seed(0)
    everything = OSNet(0.25).eval()
    torch.manual_seed(0)
    some = OSNet(0.25, out_indices=(0, 2)).eval()
    low, _, high = everything(pictures)
    assert [tuple(m.shape[1:]) for m in (low, high)] == [(64, 24, 16), (128, 6, 4)]
    for found, expected in zip(some(pictures), (low, high)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize('variant', ['ibn', 'ain'])
def test_instance_norm_takes_out_contrast(variant):
    """Part of the style of a camera, which its stem normalises away."""
    torch.manual_seed(0)
    pictures = torch.randn(1, 3, 64, 32)
    pale = 0.3 * pictures
    differences = {}
    for name in ('plain', variant):
        torch.manual_seed(1)
        net = OSNet(0.25, name, out_indices=(2,)).eval()
        with torch.no_grad():
            one, other = net(pictures)[0], net(pale)[0]
        differences[name] = ((one - other).norm() / one.norm()).item()
    assert differences[variant] < 1e-2 < 0.1 < differences['plain']


@pytest.mark.parametrize('frozen', [-1, 0, 1, 3])
def test_frozen_stages_do_not_change(frozen):
    net = OSNet(0.25, frozen_stages=frozen).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    loss = sum(level.square().mean() for level in net(torch.randn(4, 3, 64, 32)))
    assert loss.requires_grad == (frozen < 3)
    if frozen < 3:
        loss.backward()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter += 1
    moved = {name for name, value in net.state_dict().items() if not value.equal(before[name])}
    still = ['stem.'] * (frozen >= 0) + [f'stages.{n}.' for n in range(max(frozen, 0))]
    assert not [name for name in moved if name.startswith(tuple(still or ['-']))]
    for part in {'stem.', 'stages.0.', 'stages.1.', 'stages.2.'} - set(still):
        assert any(name.startswith(part) for name in moved), part


def test_statistics_that_stay():
    net = OSNet(0.25, norm_eval=True).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net(torch.randn(4, 3, 64, 32))
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ('options', 'word'),
    [
        (dict(variant='in'), 'variant'),
        (dict(out_indices=(0, 3)), 'out_indices'),
        (dict(out_indices=()), 'out_indices'),
    ],
)
def test_osnet_refuses(options, word):
    with pytest.raises(ConfigError, match=word):
        OSNet(0.25, **options)


class TestReIDResNet:
    def test_is_the_plain_one_but_for_what_it_adds(self):
        """Same weights, same maps up to the last stage, once the first pooling is the same."""
        torch.manual_seed(0)
        plain, own = ResNet(50, base_channels=4), ReIDResNet(50, base_channels=4)
        for net in (plain, own):
            net.eval()
        assert own.load_state_dict(plain.state_dict())
        own.maxpool = plain.maxpool
        pictures = torch.rand(1, 3, 64, 64)
        for found, expected in zip(own(pictures)[:3], plain(pictures)):
            assert torch.equal(found, expected)
        assert own(pictures)[3].shape[2:] == (4, 4)
        assert plain(pictures)[3].shape[2:] == (2, 2)

    def test_new_non_local_blocks_change_nothing(self):
        torch.manual_seed(0)
        net = ReIDResNet(50, non_local=(0, 2, 3, 0), base_channels=4)
        net.eval()
        pictures = torch.rand(1, 3, 64, 32)
        with torch.no_grad():
            before = net(pictures)[3]
            for block in (*net.layer2, *net.layer3):
                block.after = torch.nn.Identity()
            assert torch.equal(net(pictures)[3], before)

    def test_where_non_local_blocks_are(self):
        net = ReIDResNet(50, non_local=(0, 2, 3, 0), base_channels=4)
        blocks = [name for name, module in net.named_modules() if name.endswith('.after')]
        active = [
            name for name in blocks if not isinstance(net.get_submodule(name), torch.nn.Identity)
        ]
        assert active == [f'layer{n}.after' for n in ('2.2', '2.3', '3.3', '3.4', '3.5')]

    def test_refuses_a_depth_without_bottlenecks(self):
        with pytest.raises(ConfigError, match=r'\(50, 101\), but is 18'):
            ReIDResNet(18)
