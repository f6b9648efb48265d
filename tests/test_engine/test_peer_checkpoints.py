"""Published weights under our names, and the network that they make."""

from __future__ import annotations

import importlib.util
import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmclsa.inference import PersonSearchInferencer
from tests.helpers import REPO, SHARED, needs_shared

GOLDEN = SHARED / 'golden' / 'seqnet_forward'
PICTURE = SHARED / 'data' / 'pets_mini' / 'img' / '000301.jpg'
CLOSE = dict(rtol=0, atol=1e-4)


def formula():
    """The function that makes a tensor of SeqNet's network of its name and shape."""
    spec = importlib.util.spec_from_file_location('golden_weights', GOLDEN / 'weights.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.weight


def peer_weights():
    """Every tensor of SeqNet's network."""
    weight = formula()
    keys = json.loads((GOLDEN / 'keys.json').read_text())
    return {
        name: torch.from_numpy(np.asarray(weight(name, tuple(shape))))
        for name, shape in keys.items()
    }


@pytest.fixture(scope='module')
def seqnet():
    """SeqNet's tensors, of which nobody may change one."""
    return peer_weights()


@pytest.fixture
def convert(tmp_path, run_tool_here):
    """Run a converter on tensors; return the file that it wrote."""

    def run(kind, weights):
        torch.save({'model': weights}, tmp_path / 'peer.pth')
        out = tmp_path / 'folder' / 'ours.pth'
        run_tool_here(f'tools/model_converters/{kind}.py', tmp_path / 'peer.pth', '--out', out)
        return out

    return run


@needs_shared
def test_seqnet_gives_what_the_peer_gives(seqnet, convert):
    """Boxes, scores and embeddings of the golden picture."""
    file = convert('seqnet', seqnet)
    cfg = Config.fromfile(REPO / 'configs' / 'seqnet' / 'seqnet_r50_prw.py')
    for step in cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'mmdet.Resize':
            step['scale'] = (480, 288)
    inferencer = PersonSearchInferencer(cfg, file, 'cpu', det_thresh=0.05)
    expected = np.load(GOLDEN / 'expected.npz')
    maps, seen, forward = [], [], inferencer.forward
    inferencer.model.detector.backbone.register_forward_hook(lambda *args: maps.append(args[2][0]))
    # One pass describes the boxes and detects; a second one, for a call, would take as long.
    inferencer.forward = lambda *args: seen.extend(forward(*args)) or seen
    embedded = inferencer.embed_boxes(PICTURE, expected['query_boxes'])
    means = maps[0].mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(means, expected['feat_res4_mean'], **CLOSE)
    np.testing.assert_allclose(embedded, expected['query_embeddings'], **CLOSE)
    found = seen[0].pred_instances.numpy()
    boxes, scores = found.bboxes, found.scores
    np.testing.assert_allclose(boxes, expected['det_boxes'], rtol=0, atol=1e-3)
    np.testing.assert_allclose(scores, expected['det_scores'], **CLOSE)
    # The peer multiplies by the score (CWS); here the evaluator does (similarity=score_weighted).
    weighted = found.embeddings * scores[:, None]
    np.testing.assert_allclose(weighted, expected['det_embeddings'], **CLOSE)


def nae_of(seqnet):
    """NAE's tensors: one stage, and a classifier that it does not use."""
    weights = {
        name: tensor
        for name, tensor in seqnet.items()
        if not name.startswith(('roi_heads.reid_head', 'roi_heads.faster_rcnn_predictor'))
    }
    weights['roi_heads.box_predictor.cls_score.weight'] = torch.ones(2, 2048)
    weights['roi_heads.box_predictor.cls_score.bias'] = torch.ones(2)
    return weights


def oim_of(seqnet, bias=True):
    """A torchvision port of OIM's tensors."""
    weights = {
        re.sub('faster_rcnn_predictor', 'box_predictor', name): tensor
        for name, tensor in seqnet.items()
        if not re.search('reid_head|box_predictor|embedding_head', name)
    }
    layer = 'roi_heads.embedding_head.projectors.feat_res5.0'
    weights[f'{layer}.weight'] = torch.randn(256, 2048)
    if bias:
        weights[f'{layer}.bias'] = torch.randn(256)
    return weights


@needs_shared
@pytest.mark.parametrize('kind', ['nae', 'oim'])
def test_other_methods(seqnet, convert, kind):
    """Each tensor is the peer's, the person's rows where there is one a class."""
    weights = {'nae': nae_of, 'oim': oim_of}[kind](seqnet)
    ours = torch.load(convert(kind, weights), weights_only=True)['state_dict']
    head = 'detector.roi_head'
    expected = {
        'detector.backbone.layer3.5.conv2.weight': weights['backbone.layer3.5.conv2.weight'],
        'detector.rpn_head.rpn_conv.weight': weights['rpn.head.conv.0.0.weight'],
        f'{head}.shared_head.layer4.0.downsample.1.running_var': weights[
            'roi_heads.box_head.layer4.0.downsample.1.running_var'
        ],
        'reid.head.id_losses.0.memory.table': weights['roi_heads.reid_loss.lut'],
        'reid.head.id_losses.0.memory.queue': weights['roi_heads.reid_loss.cq'],
    }
    if kind == 'nae':
        deltas = weights['roi_heads.box_predictor.bbox_pred.0.weight']
        expected[f'{head}.bbox_head.fc_reg.linear.weight'] = deltas[4:]
        rescaler = weights['roi_heads.embedding_head.rescaler.running_mean']
        expected[f'{head}.norm_score.rescaler.running_mean'] = rescaler
    else:
        scores = weights['roi_heads.box_predictor.cls_score.weight']
        expected[f'{head}.bbox_head.fc_cls.weight'] = torch.stack([scores[1], scores[0]])
        layer = weights['roi_heads.embedding_head.projectors.feat_res5.0.weight']
        expected['reid.head.projections.0.linear.weight'] = layer
    for name, tensor in expected.items():
        assert torch.equal(ours[name], tensor), name


@needs_shared
def test_a_linear_layer_without_bias_gets_zeros(seqnet, convert):
    ours = torch.load(convert('oim', oim_of(seqnet, bias=False)), weights_only=True)['state_dict']
    assert torch.equal(ours['reid.head.projections.0.linear.bias'], torch.zeros(256))


@needs_shared
def test_former_names_of_torchvision(seqnet, convert):
    """SeqNet's published files are older than torchvision 0.13."""
    older = {name.replace('conv.0.0', 'conv'): tensor for name, tensor in seqnet.items()}
    ours = torch.load(convert('seqnet', older), weights_only=True)['state_dict']
    expected = seqnet['rpn.head.conv.0.0.weight']
    assert torch.equal(ours['detector.rpn_head.rpn_conv.weight'], expected)


@needs_shared
class TestFaults:
    def refuse(self, tmp_path, run_tool_to_its_error, weights, kind='seqnet'):
        """Convert what cannot be, and return the sentence."""
        path, out = tmp_path / 'peer.pth', tmp_path / 'ours.pth'
        if isinstance(weights, bytes):
            path.write_bytes(weights)
        else:
            torch.save({'model': weights}, path)
        sentence = run_tool_to_its_error(f'tools/model_converters/{kind}.py', path, '--out', out)
        assert not out.exists()
        assert str(path) in sentence
        return sentence

    def test_unknown_tensor(self, seqnet, tmp_path, run_tool_to_its_error):
        weights = {'roi_heads.mask_head.weight': torch.ones(1)}
        sentence = self.refuse(tmp_path, run_tool_to_its_error, weights)
        assert 'the names of SeqNet, but 1 tensor is none of them: roi_heads.mask_head' in sentence

    def test_missing_tensor(self, seqnet, tmp_path, run_tool_to_its_error):
        weights = dict(seqnet)
        del weights['roi_heads.reid_head.layer4.1.conv2.weight']
        sentence = self.refuse(tmp_path, run_tool_to_its_error, weights)
        assert 'lacks 1 of' in sentence
        assert 'second_stage.shared_head.layer4.1.conv2.weight' in sentence

    def test_another_shape(self, seqnet, tmp_path, run_tool_to_its_error):
        weights = {**seqnet, 'rpn.head.cls_logits.weight': torch.ones(9, 1024, 1, 1)}
        sentence = self.refuse(tmp_path, run_tool_to_its_error, weights)
        assert 'rpn_cls.weight must have the shape (15, 1024, 1, 1)' in sentence

    def test_without_memory(self, seqnet, tmp_path, run_tool_to_its_error):
        weights = {name: tensor for name, tensor in seqnet.items() if 'reid_loss' not in name}
        assert 'memory of OIM' in self.refuse(tmp_path, run_tool_to_its_error, weights)

    def test_another_method(self, seqnet, tmp_path, run_tool_to_its_error):
        sentence = self.refuse(tmp_path, run_tool_to_its_error, nae_of(seqnet))
        assert 'must have the names of SeqNet, but 2 tensors are none of them' in sentence

    @pytest.mark.parametrize('content', [b'', b'PK\x03\x04 cut short'])
    def test_no_checkpoint(self, tmp_path, run_tool_to_its_error, content):
        self.refuse(tmp_path, run_tool_to_its_error, content)

    def test_cut_short(self, seqnet, tmp_path, run_tool_to_its_error):
        torch.save({'model': {'backbone.conv1.weight': torch.ones(64, 3, 7, 7)}}, tmp_path / 'x')
        content = (tmp_path / 'x').read_bytes()
        self.refuse(tmp_path, run_tool_to_its_error, content[: len(content) // 2])
