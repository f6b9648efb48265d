"""COAT's transformer and what people exchange in it, against literal references."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mmclsa.errors import ConfigError
from mmclsa.models.roi_heads import BNNeckIdentityLoss, OccludedAttention
from mmclsa.models.roi_heads.token_attention import spread_tokens
from mmclsa.models.roi_heads.token_exchange import draw_exchange, exchange_stripe

HEIGHT, WIDTH = 4, 3


def attention(**options):
    torch.manual_seed(0)
    options = {'in_channels': 3, 'embed_dims': 16, 'out_channels': 5, 'num_heads': 2, **options}
    made = OccludedAttention(**options).double()
    for p in made.parameters():
        p.data = torch.randn_like(p) * 0.5
    return made


def people(count=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def cells():
    return [(y, x) for y in range(HEIGHT) for x in range(WIDTH)]


def normalised(token, norm):
    mean = sum(token) / len(token)
    variance = sum((value - mean) ** 2 for value in token) / len(token)
    return (token - mean) / math.sqrt(variance + norm.eps) * norm.weight + norm.bias


def attend(block, tokens):
    """Each head of each token asks every token, itself too."""
    query, key, value = (
        [layer.weight @ token + layer.bias for token in tokens]
        for layer in (block.query, block.key, block.value)
    )
    size = len(tokens[0]) // block.num_heads
    mixed = []
    for asking in query:
        heads = []
        for head in range(block.num_heads):
            own = slice(head * size, (head + 1) * size)
            shares = [math.exp(asking[own] @ k[own] / math.sqrt(size)) for k in key]
            total = sum(shares)
            heads.append(sum(share / total * v[own] for share, v in zip(shares, value)))
        mixed.append(block.output.weight @ torch.cat(heads) + block.output.bias)
    return mixed


def after_block(block, tokens):
    tokens = [normalised(token, block.attention_norm) for token in tokens]
    tokens = [token + mixed for token, mixed in zip(tokens, attend(block, tokens))]
    into, _, _, out, _ = block.feed
    return [
        token
        + out.weight @ (into.weight @ normalised(token, block.feed_norm) + into.bias).clamp(min=0)
        + out.bias
        for token in tokens
    ]


def one_scale(scale, maps, exchange):
    """What a scale makes of the maps (C, H, W) of all people, cell after cell."""
    half, everybody = scale.kernel // 2, []
    offsets = [(i, j) for i in range(scale.kernel) for j in range(scale.kernel)]
    for person in maps:
        tokens = {}
        for y, x in cells():
            token = scale.to_tokens.bias.clone()
            for i, j in offsets:
                v, u = y + i - half, x + j - half
                if 0 <= v < HEIGHT and 0 <= u < WIDTH:
                    token += scale.to_tokens.weight[:, :, i, j] @ person[:, v, u]
            tokens[y, x] = token
        everybody.append(tokens)
    if exchange is not None:
        rows, columns = range(HEIGHT)[exchange.rows], range(WIDTH)[exchange.columns]
        everybody = [
            {
                (y, x): everybody[other if y in rows and x in columns else own][y, x]
                for y, x in cells()
            }
            for own, other in enumerate(exchange.order.tolist())
        ]
    found = []
    for person, tokens in zip(maps, everybody):
        out = person.clone()
        for (y, x), token in zip(cells(), after_block(scale.block, list(tokens.values()))):
            patch = scale.to_patches.weight @ token + scale.to_patches.bias
            patch = patch.view(-1, scale.kernel, scale.kernel)
            for i, j in offsets:
                v, u = y + i - half, x + j - half
                if 0 <= v < HEIGHT and 0 <= u < WIDTH:
                    out[:, v, u] += patch[:, i, j]
        found.append(out)
    return torch.stack(found)


def reference(layer, aligned, exchange=None):
    """The upper level, written out."""
    maps = torch.einsum('oc,nchw->nohw', layer.reduce.weight[:, :, 0, 0], aligned)
    share = maps.shape[1] // len(layer.scales)
    mixed = [
        one_scale(scale, maps[:, k * share : (k + 1) * share], exchange)
        for k, scale in enumerate(layer.scales)
    ]
    both = maps + torch.cat(mixed, dim=1)
    return torch.einsum('oc,nchw->nohw', layer.expand.weight[:, :, 0, 0], both)


class TestOccludedAttention:
    @pytest.fixture(autouse=True)
    def _without_gradient(self):
        with torch.no_grad():
            yield

    @pytest.mark.parametrize('kernels', [(1, 3), (3,), (1,)])
    def test_is_what_is_written_out(self, kernels):
        layer = attention(kernel_sizes=kernels).eval()
        lower, upper = layer.levels(people())
        torch.testing.assert_close(upper, reference(layer, people()))
        projected = torch.einsum('oc,nchw->nohw', layer.lower.weight[:, :, 0, 0], people())
        torch.testing.assert_close(lower, projected)
        assert torch.equal(layer(people()), upper)

    @pytest.mark.parametrize('seed', range(4))
    def test_in_training_people_exchange_a_stripe_at_all_scales(self, seed):
        layer = attention().train()
        torch.manual_seed(seed)
        lower, upper = layer.levels(people())
        torch.manual_seed(seed)
        of_lower, of_tokens = (draw_exchange(3, HEIGHT, WIDTH, 1) for _ in range(2))
        torch.testing.assert_close(upper, reference(layer, people(), of_tokens))
        projected = layer.lower(people())
        expected = projected.clone()
        for own, other in enumerate(of_lower.order):
            part = (own, slice(None), of_lower.rows, of_lower.columns)
            expected[part] = projected[(int(other), *part[1:])]
        torch.testing.assert_close(lower, expected)

    def test_one_seed_one_result(self):
        layer = attention().train()
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(layer.levels(people())[1])
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])

    def test_nobody_exchanges_where_there_is_no_stripe(self):
        layer = attention(stripe=0, project_lower=False).train()
        lower, upper = layer.levels(people())
        assert torch.equal(lower, people())
        torch.testing.assert_close(upper, reference(layer, people()))

    @pytest.mark.parametrize('count', [0, 1])
    def test_few_people(self, count):
        layer = attention()
        for mode in (True, False):
            lower, upper = layer.train(mode).levels(people(count))
            assert lower.shape == (count, 3, HEIGHT, WIDTH)
            torch.testing.assert_close(upper, layer.eval()(people(count)))

    @pytest.mark.parametrize(
        ('options', 'sentence'),
        [
            (dict(embed_dims=18), 'embed_dims must be a multiple of twice'),
            (dict(kernel_sizes=()), 'embed_dims must be a multiple of twice'),
            (dict(kernel_sizes=(1, 2)), 'kernel_sizes must be odd, but one is 2'),
            (dict(num_heads=3), 'num_heads must divide the 4 channels'),
            (dict(stripe=-1), 'stripe must be 0 or more, but is -1'),
        ],
    )
    def test_what_cannot_be(self, options, sentence):
        with pytest.raises(ConfigError, match=sentence):
            attention(**options)


def test_a_gradient_flows_to_whom_a_part_is_of():
    maps = people().requires_grad_()
    exchange = draw_exchange(3, HEIGHT, WIDTH, 1)._replace(order=torch.tensor([1, 2, 0]))
    exchange_stripe(maps, exchange)[0].sum().backward()
    part = torch.zeros(HEIGHT, WIDTH)
    part[exchange.rows, exchange.columns] = 1
    assert torch.equal(maps.grad[0].sum(0), 3 * (1 - part).double())
    assert torch.equal(maps.grad[1].sum(0), 3 * part.double())
    assert maps.grad[2].abs().sum() == 0


def test_every_row_and_every_column_is_drawn():
    torch.manual_seed(0)
    drawn = {
        (e.rows.start, e.rows.stop, e.columns.start, e.columns.stop)
        for e in (draw_exchange(2, HEIGHT, WIDTH, 2) for _ in range(300))
    }
    rows = {(start, start + 2, 0, WIDTH) for start in range(HEIGHT - 1)}
    assert drawn == rows | {(0, HEIGHT, start, start + 2) for start in range(WIDTH - 1)}


def test_a_stripe_may_be_all_there_is():
    maps = people()
    exchange = draw_exchange(3, HEIGHT, WIDTH, 9)
    assert torch.equal(exchange_stripe(maps, exchange), maps[exchange.order])


@pytest.mark.parametrize('kernel', [1, 3, 5])
def test_tokens_are_spread_as_fold_does_it(kernel):
    torch.manual_seed(0)
    linear = torch.nn.Linear(4, 2 * kernel**2).double()
    tokens = torch.randn(3, 4, HEIGHT, WIDTH, dtype=torch.float64)
    patches = linear(tokens.flatten(2).transpose(1, 2)).transpose(1, 2)
    expected = F.fold(patches, (HEIGHT, WIDTH), kernel, padding=kernel // 2)
    found = spread_tokens(tokens, linear.weight, linear.bias, kernel)
    torch.testing.assert_close(found, expected)


def test_classifier_of_directions():
    torch.manual_seed(0)
    loss = BNNeckIdentityLoss(4, 3).double().eval()
    loss.norm.running_mean.normal_()
    loss.norm.running_var.uniform_(0.5, 2.0)
    rows = torch.randn(6, 4, dtype=torch.float64)
    for row, found in zip(rows, loss.logits(5 * rows)):
        unit = row / math.sqrt(sum(row**2))
        deviation = (loss.norm.running_var + loss.norm.eps).sqrt()
        expected = loss.classifier.weight @ ((unit - loss.norm.running_mean) / deviation)
        torch.testing.assert_close(found, expected)
    assert not loss.norm.bias.requires_grad
