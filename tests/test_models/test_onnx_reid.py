"""A re-ID network from an ONNX file: what it gives, what it refuses, and how it travels."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from inspect import signature

import pytest
import torch
from mmengine.registry import init_default_scope

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from onnx import TensorProto

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.inference.digests import weights_digest
from mmclsa.inference.export.graphs import CropGraph
from mmclsa.models.reid import OnnxReID, SceneBatch
from mmclsa.registry import MODELS
from tests.fakes.networks import make_network
from tests.test_models.builders import batch, build_searcher, crop_reid_cfg, scene_sample

SIZE = (64, 32)


def scenes(people=(3, 4), scale=0.5):
    """Scenes, and boxes in input pixels, half the size of the picture."""
    torch.manual_seed(1)
    samples = [scene_sample((96, 128), people=count, scale=scale)[1] for count in people]
    return SceneBatch(None, samples), [sample.gt_instances.bboxes for sample in samples]


class Normalised(CropGraph):
    """CropReID from normalised crops on, as others export their networks."""

    def forward(self, crops):
        return self.head(self.reid.pyramid(crops))


@pytest.fixture(scope='module')
def crop_reid(tmp_path_factory):
    """A CropReID and its network as a graph."""
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    cfg = crop_reid_cfg()
    cfg['backbone']['init_cfg'] = None
    reid = MODELS.build(cfg)
    reid.init_weights()
    reid.eval()
    file = tmp_path_factory.mktemp('golden') / 'reid.onnx'
    torch.onnx.export(
        Normalised(reid).eval(),
        (torch.zeros(2, 3, *SIZE),),
        str(file),
        input_names=['crops'],
        output_names=['embeddings'],
        dynamic_axes={'crops': {0: 'n'}, 'embeddings': {0: 'n'}},
        opset_version=17,
        **({'dynamo': False} if 'dynamo' in signature(torch.onnx.export).parameters else {}),
    )
    return reid, file


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('bgr_to_rgb', [False, True])
def test_embeddings_are_those_of_the_torch_network(crop_reid, flip_test, bgr_to_rgb):
    reid, file = crop_reid
    reid.flip_test, reid.bgr_to_rgb = flip_test, bgr_to_rgb
    foreign = OnnxReID(file, flip_test=flip_test, bgr_to_rgb=bgr_to_rgb, max_crops=3)
    where, boxes = scenes()
    with torch.no_grad():
        for mine, theirs in zip(foreign.embed(where, boxes), reid.embed(where, boxes)):
            assert mine.shape == theirs.shape
            assert (mine - theirs).abs().max() < 1e-5


@pytest.mark.parametrize('sizes', [(1, 3, *SIZE), (3, 3, *SIZE), ('n', 'c', *SIZE)])
@pytest.mark.parametrize('flat', [False, True])
def test_graphs_of_fixed_sizes_give_the_same(tmp_path, sizes, flat):
    """A fixed number of crops is split and filled up; 7 people are no multiple of 3."""
    whole = OnnxReID(make_network(tmp_path / 'a.onnx'), crop_size=SIZE)
    fixed = OnnxReID(make_network(tmp_path / 'b.onnx', sizes, flat=flat), max_crops=4)
    where, boxes = scenes()
    for one, other in zip(whole.embed(where, boxes), fixed.embed(where, boxes)):
        assert torch.allclose(one, other, atol=1e-6)
        assert torch.allclose(one.norm(dim=1), torch.ones(len(one)))
    assert fixed.settled_size() == SIZE


def test_half_precision_and_nobody(tmp_path):
    half = make_network(tmp_path / 'a.onnx', kind=TensorProto.FLOAT16)
    where, boxes = scenes()
    full = OnnxReID(make_network(tmp_path / 'b.onnx'), crop_size=SIZE).describe(where, boxes)
    found = OnnxReID(half, crop_size=SIZE).describe(where, boxes)
    assert found.dtype == torch.float32
    assert torch.allclose(found, full, atol=2e-2)
    nobody = OnnxReID(half).embed(where, [box[:0] for box in boxes])
    assert [part.shape for part in nobody] == [(0, 6), (0, 6)]


def test_crops_are_normalised_as_the_options_say(crop_reid):
    """Against the formula, in float64."""
    where, boxes = scenes()
    plain = OnnxReID('', crop_size=SIZE, mean=(0, 0, 0), std=(1, 1, 1), bgr_to_rgb=False)
    bgr = plain.cut_to(where, boxes, SIZE).double()
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    cut = OnnxReID('', mean=mean, std=std).cut_to(where, boxes, SIZE)
    expected = (bgr[:, [2, 1, 0]] - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    assert torch.allclose(cut.double(), expected, atol=1e-5)
    # At the picture's own resolution: as CropReID cuts.
    reid = crop_reid[0]
    reid.bgr_to_rgb = True
    ours = OnnxReID('').cut_to(where, boxes, SIZE)
    assert torch.equal(ours, reid.cut(where, boxes))


def test_size_is_the_graphs_or_256_by_128(tmp_path):
    assert OnnxReID(make_network(tmp_path / 'a.onnx')).settled_size() == (256, 128)
    partly = make_network(tmp_path / 'b.onnx', ('n', 3, 384, 'w'))
    assert OnnxReID(partly).settled_size() == (384, 128)
    assert OnnxReID(partly, crop_size=(384, 192)).settled_size() == (384, 192)


def test_output_by_name_or_number(tmp_path):
    file = make_network(tmp_path / 'a.onnx', outputs=2)
    where, boxes = scenes()
    one, other = (OnnxReID(file, SIZE, output=o).describe(where, boxes) for o in ('out_1', 0))
    assert torch.equal(one, other)


FAULTS = {
    'size': (dict(sizes=('n', 3, 128, 64)), dict(crop_size=(256, 128)), '128 x 64 .*256 x 128'),
    'channels': (dict(sizes=('n', 1, *SIZE)), {}, r'\(n, 3, height, width\)'),
    'nan': (dict(faulty='nan'), {}, 'NaN or infinity for 7 of 7 crops'),
    'inf': (dict(faulty='inf'), {}, 'NaN or infinity for 7 of 7 crops'),
    'maps': (dict(faulty='maps'), {}, r'must have the shape \(n, D\)'),
    'one for all': (dict(faulty='one'), {}, 'n = 7 crops, not'),
    'outputs': (dict(outputs=2), {}, 'output .* out_0, out_1, .* but is None'),
    'no such output': ({}, dict(output='logits'), "out_0, .* but is 'logits'"),
    'provider': ({}, dict(providers=['NoSuchProvider']), 'providers must be among'),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_what_is_wrong_with_a_graph_is_a_sentence(tmp_path, fault):
    network, options, words = FAULTS[fault]
    reid = OnnxReID(make_network(tmp_path / 'a.onnx', **network), **options)
    where, boxes = scenes()
    with pytest.raises(ConfigError, match=words) as said:
        reid.describe(where, boxes)
    assert '\n' not in str(said.value)


def test_what_is_wrong_with_a_file_is_a_sentence(tmp_path, monkeypatch):
    where, boxes = scenes()
    for name in (None, '', tmp_path / 'none.onnx', tmp_path):
        with pytest.raises(ConfigError, match=r'model\.reid\.file=FILE.*MMCLSA_REID_ONNX'):
            OnnxReID(name).init_weights()
    (tmp_path / 'text.onnx').write_text('a web page')
    with pytest.raises(DataError, match='cannot load the graph'):
        OnnxReID(tmp_path / 'text.onnx').describe(where, boxes)
    file = make_network(tmp_path / 'a.onnx')
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(UserError, match=r'onnxruntime is needed .*mmclsa\[deploy\]'):
        OnnxReID(file).init_weights()


def test_picture_is_missing_in_the_pipeline(tmp_path):
    where, boxes = scenes()
    del where.data_samples[0].original_image
    with pytest.raises(ConfigError, match=r'OnnxReID cuts people .*KeepOriginalImage'):
        OnnxReID(make_network(tmp_path / 'a.onnx'), SIZE).describe(where, boxes)


def test_it_is_not_trained(tmp_path):
    searcher = build_searcher('yolox', freeze_detector=True)
    searcher.reid = OnnxReID(make_network(tmp_path / 'a.onnx'), SIZE)
    inputs, samples = batch(searcher, [scene_sample((96, 128))], training=True)
    with pytest.raises(ConfigError, match='OnnxReID cannot be trained'):
        searcher.loss(inputs, samples)
    with pytest.raises(ConfigError, match='no pyramid levels'):
        searcher.reid.extract(*scenes())


def test_it_travels_to_other_processes(tmp_path, monkeypatch):
    reid = OnnxReID(make_network(tmp_path / 'a.onnx'), SIZE)
    where, boxes = scenes()
    expected = reid.describe(where, boxes)
    assert not reid.state_dict()
    for copied in (pickle.loads(pickle.dumps(reid)), copy.deepcopy(reid)):
        assert copied.network._opened is None
        assert torch.equal(copied.describe(where, boxes), expected)
    # A fork has the session of its parent, whose threads are not there.
    session = reid.network.open().session
    assert reid.network.open().session is session
    parent = os.getpid()
    monkeypatch.setattr(os, 'getpid', lambda: parent + 1)
    assert reid.network.open().session is not session


def test_digest_is_of_the_content(tmp_path):
    """Of the file wherever it is, with the weights beside it."""
    reids = {}
    for name, options in {
        'here': {},
        'there': {},
        'other': dict(seed=1),
        'beside': dict(external='weights.bin'),
        'beside_other': dict(external='weights.bin', seed=1),
    }.items():
        (tmp_path / name).mkdir()
        reids[name] = OnnxReID(make_network(tmp_path / name / f'{name}.onnx', **options), SIZE)
    digests = {name: weights_digest(reid) for name, reid in reids.items()}
    assert digests['here'] == digests['there']
    assert len(set(digests.values())) == 4
    where, boxes = scenes()
    assert torch.equal(reids['here'].describe(where, boxes), reids['beside'].describe(where, boxes))
