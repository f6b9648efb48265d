"""Published re-ID networks by their authors' names of tensors: random weights, and slow formulas.

Names and shapes are those of torchreid 0.2.5 and fast-reid 1.4.0, whose own networks give the
same numbers as these formulas; nothing of their code is here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

__all__ = ['draw', 'fast_reid_embedding', 'fast_reid_shapes', 'osnet_embedding', 'osnet_shapes']

_NORM = ('weight', 'bias', 'running_mean', 'running_var')


def draw(shapes, seed=0):
    """Draw weights of these shapes that keep features about as large as they are."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        values = torch.rand(shape, generator=generator)
        if name.endswith('running_var') or (len(shape) == 1 and name.endswith('weight')):
            weights[name] = values * 0.5 + 0.5
        elif len(shape) == 1:
            weights[name] = (values - 0.5) * 0.4
        elif name.endswith('.p'):
            weights[name] = values + 2
        else:
            scale = (12 / max(values[0].numel(), 1)) ** 0.5
            weights[name] = (values - 0.5) * scale
    return weights


def _conv(shapes, name, out, into, size=1):
    shapes[f'{name}.weight'] = (out, into, size, size)


def _norm(shapes, name, channels, fields=_NORM):
    shapes.update({f'{name}.{field}': (channels,) for field in fields})


def osnet_stream(variant, stream, step):
    """Name the light convolution at a step of a stream, both from 0."""
    if variant == 'ain':
        return f'conv2.{stream}.layers.{step}'
    return 'conv2a' if stream == 0 else f'conv2{"abcd"[stream]}.{step}'


#: Blocks of AIN with instance norm in the residual.
_INSIDE = ('conv2.0', 'conv2.1', 'conv3.1', 'conv4.0')


def _inside(variant, block):
    return variant == 'ain' and block in _INSIDE


def _outside(variant, block):
    return variant == 'ibn' and block.startswith('conv2.')


def osnet_shapes(width, variant, classes=7):
    """List torchreid's names for an OSNet, with shapes."""
    stem, *channels = (int(width * count) for count in (64, 256, 384, 512))
    shapes = {}
    _conv(shapes, 'conv1.conv', stem, 3, 7)
    _norm(shapes, 'conv1.bn', stem, _NORM if variant == 'plain' else _NORM[:2])
    before = stem
    for stage, count in zip(('conv2', 'conv3', 'conv4'), channels):
        for index in (0, 1):
            _osnet_block(shapes, f'{stage}.{index}', variant, before, count)
            before = count
        if stage != 'conv4':
            name = f'pool{stage[-1]}.0' if variant == 'ain' else f'{stage}.2.0'
            _conv(shapes, f'{name}.conv', count, count)
            _norm(shapes, f'{name}.bn', count)
    _conv(shapes, 'conv5.conv', before, before)
    _norm(shapes, 'conv5.bn', before)
    shapes.update({'fc.0.weight': (512, before), 'fc.0.bias': (512,)})
    _norm(shapes, 'fc.1', 512)
    return {**shapes, 'classifier.weight': (classes, 512), 'classifier.bias': (classes,)}


def _osnet_block(shapes, block, variant, before, count):
    inner = count // 4
    _conv(shapes, f'{block}.conv1.conv', inner, before)
    _norm(shapes, f'{block}.conv1.bn', inner)
    for stream in range(4):
        for step in range(stream + 1):
            name = f'{block}.{osnet_stream(variant, stream, step)}'
            _conv(shapes, f'{name}.conv1', inner, inner)
            _conv(shapes, f'{name}.conv2', inner, 1, 3)
            _norm(shapes, f'{name}.bn', inner)
    for name, out, into in (('fc1', inner // 16, inner), ('fc2', inner, inner // 16)):
        _conv(shapes, f'{block}.gate.{name}', out, into)
        shapes[f'{block}.gate.{name}.bias'] = (out,)
    _conv(shapes, f'{block}.conv3.conv', count, inner)
    if not _inside(variant, block):
        _norm(shapes, f'{block}.conv3.bn', count)
    if before != count:
        _conv(shapes, f'{block}.downsample.conv', count, before)
        _norm(shapes, f'{block}.downsample.bn', count)
    if _inside(variant, block) or _outside(variant, block):
        _norm(shapes, f'{block}.IN', count, _NORM[:2])


def _instance(x, weights, name):
    mean = x.mean((2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
    scale, shift = (weights[f'{name}.{field}'][:, None, None] for field in _NORM[:2])
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def _normal(x, weights, name):
    """Normalise as the tensors say: by statistics where there are some, else each picture's."""
    if f'{name}.running_var' not in weights:
        return _instance(x, weights, name)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale, shift, mean, variance = (weights[f'{name}.{field}'].view(shape) for field in _NORM)
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def _layer(x, weights, name, **options):
    return _normal(F.conv2d(x, weights[f'{name}.conv.weight'], **options), weights, f'{name}.bn')


def _osnet_pass(x, weights, block, variant):
    first = _layer(x, weights, f'{block}.conv1').relu()
    total = 0
    for stream in range(4):
        y = first
        for step in range(stream + 1):
            name = f'{block}.{osnet_stream(variant, stream, step)}'
            y = F.conv2d(y, weights[f'{name}.conv1.weight'])
            y = F.conv2d(y, weights[f'{name}.conv2.weight'], padding=1, groups=y.shape[1])
            y = _normal(y, weights, f'{name}.bn').relu()
        gate = y.mean((2, 3), keepdim=True)
        for name in ('fc1', 'fc2'):
            layer = f'{block}.gate.{name}'
            gate = F.conv2d(gate, weights[f'{layer}.weight'], weights[f'{layer}.bias'])
            gate = gate.relu() if name == 'fc1' else gate.sigmoid()
        total = total + y * gate
    if _inside(variant, block):
        total = F.conv2d(total, weights[f'{block}.conv3.conv.weight'])
        total = _instance(total, weights, f'{block}.IN')
    else:
        total = _layer(total, weights, f'{block}.conv3')
    if f'{block}.downsample.conv.weight' in weights:
        x = _layer(x, weights, f'{block}.downsample')
    total = total + x
    return (_instance(total, weights, f'{block}.IN') if _outside(variant, block) else total).relu()


def osnet_embedding(weights, x, variant):
    """Compute the embedding of normalised pictures (n, 3, H, W), not of unit length."""
    x = _layer(x, weights, 'conv1', stride=2, padding=3).relu()
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in ('conv2', 'conv3', 'conv4'):
        for index in (0, 1):
            x = _osnet_pass(x, weights, f'{stage}.{index}', variant)
        if stage != 'conv4':
            name = f'pool{stage[-1]}.0' if variant == 'ain' else f'{stage}.2.0'
            x = F.avg_pool2d(_layer(x, weights, name).relu(), 2)
    x = _layer(x, weights, 'conv5').relu().mean((2, 3))
    x = x @ weights['fc.0.weight'].T + weights['fc.0.bias']
    return _normal(x, weights, 'fc.1').relu()


_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # channels within and blocks


def fast_reid_shapes(ibn=False, non_local=False, gem=False, dims=0, classes=7):
    """List fast-reid's names for a ResNet-50, with shapes."""
    shapes = {}
    _conv(shapes, 'backbone.conv1', 64, 3, 7)
    _norm(shapes, 'backbone.bn1', 64)
    before = 64
    for stage, (inner, blocks) in enumerate(_STAGES, 1):
        for index in range(blocks):
            block = f'backbone.layer{stage}.{index}'
            for number, (out, into, size) in enumerate(
                ((inner, before, 1), (inner, inner, 3), (4 * inner, inner, 1)), 1
            ):
                _conv(shapes, f'{block}.conv{number}', out, into, size)
                if ibn and number == 1 and stage < 4:
                    _norm(shapes, f'{block}.bn1.IN', inner // 2, _NORM[:2])
                    _norm(shapes, f'{block}.bn1.BN', inner // 2)
                else:
                    _norm(shapes, f'{block}.bn{number}', out)
            if index == 0:
                _conv(shapes, f'{block}.downsample.0', 4 * inner, before)
                _norm(shapes, f'{block}.downsample.1', 4 * inner)
            before = 4 * inner
        for index in range({2: 2, 3: 3}.get(stage, 0) if non_local else 0):
            name = f'backbone.NL_{stage}.{index}'
            for part, out, into in (
                *((part, 1, before) for part in ('g', 'theta', 'phi')),
                ('W.0', before, 1),
            ):
                _conv(shapes, f'{name}.{part}', out, into)
                shapes[f'{name}.{part}.bias'] = (out,)
            _norm(shapes, f'{name}.W.1', before)
    if gem:
        shapes['heads.pool_layer.p'] = (1,)
    if dims:
        _conv(shapes, 'heads.bottleneck.0', dims, before)
    _norm(shapes, f'heads.bottleneck.{int(bool(dims))}', dims or before)
    return {**shapes, 'heads.weight': (classes, dims or before)}


def _non_local(x, weights, name):
    def part(which, y):
        return F.conv2d(y, weights[f'{name}.{which}.weight'], weights[f'{name}.{which}.bias'])

    g, theta, phi = (part(which, x).flatten(1) for which in ('g', 'theta', 'phi'))
    # One channel within, so that all products are of single numbers.
    seen = (theta[:, :, None] * phi[:, None, :] * g[:, None, :]).mean(2)
    return x + _normal(part('W.0', seen.view(len(x), 1, *x.shape[2:])), weights, f'{name}.W.1')


def fast_reid_embedding(weights, x):
    """Compute the embedding of normalised pictures (n, 3, H, W), not of unit length."""
    x = F.conv2d(x, weights['backbone.conv1.weight'], stride=2, padding=3)
    x = _normal(x, weights, 'backbone.bn1').relu()
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    for stage, (_, blocks) in enumerate(_STAGES, 1):
        places = [n for n in range(9) if f'backbone.NL_{stage}.{n}.g.weight' in weights]
        for index in range(blocks):
            x = _fast_reid_block(x, weights, f'backbone.layer{stage}.{index}', stage, index)
            if index >= blocks - len(places):
                x = _non_local(x, weights, f'backbone.NL_{stage}.{index - blocks + len(places)}')
    if 'heads.pool_layer.p' in weights:
        power = weights['heads.pool_layer.p']
        x = (x.clamp(min=1e-6) ** power).mean((2, 3)) ** (1 / power)
    else:
        x = x.mean((2, 3))
    if weights['heads.bottleneck.0.weight'].ndim == 1:
        return _normal(x, weights, 'heads.bottleneck.0')
    x = x @ weights['heads.bottleneck.0.weight'][:, :, 0, 0].T
    return _normal(x, weights, 'heads.bottleneck.1')


def _fast_reid_block(x, weights, block, stage, index):
    stride = 2 if index == 0 and stage in (2, 3) else 1
    y = F.conv2d(x, weights[f'{block}.conv1.weight'])
    if f'{block}.bn1.IN.weight' in weights:
        half = y.shape[1] // 2
        y = torch.cat(
            [
                _instance(y[:, :half], weights, f'{block}.bn1.IN'),
                _normal(y[:, half:], weights, f'{block}.bn1.BN'),
            ],
            dim=1,
        )
    else:
        y = _normal(y, weights, f'{block}.bn1')
    y = F.conv2d(y.relu(), weights[f'{block}.conv2.weight'], stride=stride, padding=1)
    y = F.conv2d(_normal(y, weights, f'{block}.bn2').relu(), weights[f'{block}.conv3.weight'])
    y = _normal(y, weights, f'{block}.bn3')
    if f'{block}.downsample.0.weight' in weights:
        x = F.conv2d(x, weights[f'{block}.downsample.0.weight'], stride=stride)
        x = _normal(x, weights, f'{block}.downsample.1')
    return (y + x).relu()
