"""CLSA in two steps as a user goes through them, on fake CUHK-SYSU and PRW, narrowed.

The re-ID network on crops, the detector alone, one checkpoint of both, which is
tested, exported and builds a gallery.
"""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from mmclsa.compat import load_torch_file
from mmclsa.engine import build_runner, load_config
from mmclsa.engine.config_variables import files_read_once
from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.onnx import OnnxSearcher
from mmclsa.models.memory import IdentityMemory
from mmclsa.registry import MODELS
from tests.fakes import make_fake_cuhk_sysu, make_fake_prw
from tests.helpers import REPO

needs_onnx = pytest.mark.skipif(
    not all(map(find_spec, ('onnx', 'onnxruntime'))), reason='onnx is not installed'
)
# Folder of the data below MMCLSA_DATA, and who writes it.
DATA = {
    'cuhk-sysu': ('cuhk_sysu', make_fake_cuhk_sysu),
    'prw': ('prw', make_fake_prw),
}
DETECTOR = {
    'backbone.depth': 18,
    'backbone.base_channels': 8,
    'backbone.init_cfg': None,
    'neck.in_channels': '[8,16,32,64]',
    'neck.out_channels': 16,
    'rpn_head.in_channels': 16,
    'rpn_head.feat_channels': 16,
    'roi_head.bbox_roi_extractor.out_channels': 16,
    'roi_head.bbox_head.in_channels': 16,
    'roi_head.bbox_head.fc_out_channels': 32,
    'train_cfg.rpn_proposal.max_per_img': 50,
    'test_cfg.rpn.max_per_img': 50,
    'test_cfg.rcnn.score_thr': 0.0,
    'test_cfg.rcnn.max_per_img': 10,
}
REID = {
    'backbone.depth': 18,
    'backbone.base_channels': 8,
    'backbone.init_cfg': None,
    'neck.in_channels': '[16,32,64]',
    'neck.out_channels': 16,
    'head.in_channels': 16,
}
RUN = {'max_epochs': 1, 'num_identities': 4, 'default_hooks.logger.interval': 1}
SCENES = {'image_scale': '(160,96)', 'test_dataloader.batch_size': 1}
CROPS = {'num_persons': 2, 'num_instances': 2, 'crop_size': '(64,32)', 'embed_dims': 8}


def below(prefix, options):
    return {f'{prefix}.{key}': value for key, value in options.items()}


def loaders(*names):
    settings = {'num_workers': 0, 'persistent_workers': False}
    return {k: v for name in names for k, v in below(f'{name}_dataloader', settings).items()}


def options(*parts, **more):
    merged = {k: v for part in (*parts, more) for k, v in part.items()}
    return ['--cfg-options', *(f'{key}={value}' for key, value in merged.items())]


ALL = loaders('train', 'val', 'test')
REID_ALONE = {**RUN, **CROPS, **ALL, **below('model.reid', REID)}
DETECTOR_ALONE = {**RUN, **SCENES, **ALL, **below('model', DETECTOR), 'max_epochs': 2}
JOINED = {**REID_ALONE, **SCENES, **below('model.detector', DETECTOR)}


@pytest.fixture(params=['prw'])
def home(request, tmp_path, monkeypatch):
    """The data where MMCLSA_DATA points; no weights are asked for."""
    folder, make = DATA[request.param]
    make(tmp_path / folder, num_train=4, num_test=4, num_queries=2)
    monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(REPO)
    return request.param, tmp_path


@pytest.mark.parametrize('home', DATA, indirect=True)
def test_both_steps(home, run_tool_here):
    data, root = home
    configs = {
        'reid': f'configs/clsa/clsa-reid_r50_{data}-crops.py',
        'detector': f'configs/detectors/faster-rcnn_r50_{data}.py',
        'joined': f'configs/clsa/clsa-twostep_r50_{data}.py',
    }
    changes = {
        'reid': options(REID_ALONE),
        'detector': options(DETECTOR_ALONE, {'train_dataloader.batch_size': 2}),
        'joined': options(JOINED),
    }

    with files_read_once():
        go_through(root, configs, changes, run_tool_here)


def go_through(root, configs, changes, run_tool_here):
    """Train both, test both, join them, test and use what is joined."""

    def test(name, checkpoint, *more):
        out = root / f'{name}{len(more)}.json'
        run_tool_here(
            'tools/test.py', configs[name], checkpoint, '--work-dir', root / 'work', '--json', out,
            *more, *changes[name],
        )  # fmt: skip
        return json.loads(out.read_text())

    for name, epochs in (('reid', 1), ('detector', 2)):
        run_tool_here('tools/train.py', configs[name], '--work-dir', root / name, *changes[name])
        assert load_torch_file(root / name / f'epoch_{epochs}.pth')['meta']['iter'] >= 2
    reid, detector = root / 'reid' / 'epoch_1.pth', root / 'detector' / 'epoch_2.pth'
    assert all(name.startswith('reid.') for name in load_torch_file(reid)['state_dict'])
    alone = test('reid', reid, '--out', root / 'reid.npz')
    assert alone['search/detection/recall'] == 1, 'boxes of the ground truth'
    found = test('detector', detector)
    assert found.keys() == {'detection/recall', 'detection/ap', 'detection/labeled_recall'}

    joined = root / 'joined.pth'
    run_tool_here(
        'tools/model_converters/join.py', detector, reid, '--out', joined,
        '--config', configs['joined'], *changes['joined'],
    )  # fmt: skip
    searched = test('joined', joined)
    for name in ('recall', 'ap'):  # the same boxes, in the search
        assert searched[f'search/detection/{name}'] == pytest.approx(found[f'detection/{name}'])
    test('joined', joined, '--gt-boxes', '--out', root / 'joined.npz')
    check_same_people(root / 'reid.npz', root / 'joined.npz')
    check_gallery(root, joined, run_tool_here)


def check_same_people(one, other):
    """The embeddings of the re-ID network alone, of all people and queries."""
    one, other = np.load(one), np.load(other)
    assert (one['image'] == other['image']).all()
    assert len(one['embedding']) > 4
    np.testing.assert_allclose(one['bbox'], other['bbox'], atol=1e-3)
    for name in ('embedding', 'query_embedding'):
        np.testing.assert_allclose(one[name], other[name], atol=2e-3)


def check_gallery(root, joined, run_tool_here):
    """An index, with the config that the checkpoint brings."""
    inferencer = PersonSearchInferencer(None, joined, 'cpu', det_thresh=0.0)
    config = root / 'joined_config.py'
    inferencer.cfg.dump(config)
    pictures = next(path for path in root.rglob('*.jpg')).parent
    run_tool_here(
        'tools/build_gallery.py', config, joined, pictures, '--out', root / 'index',
        '--det-thresh', '0.0', '--device', 'cpu',
    )  # fmt: skip
    with GalleryIndex.open(root / 'index') as index:
        assert len(index) > 0
    picture = next(iter(pictures.glob('*.jpg')))
    embedding = inferencer.embed_boxes(picture, [[10, 10, 40, 70]])
    assert embedding.shape == (1, 3 * 8), 'levels and dimensions'
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


@needs_onnx
def test_the_joined_model_and_the_network_alone_are_exported(tmp_path, run_tool_here):
    """Both give the same graph of the re-ID network; a Faster R-CNN has none."""
    narrow_config(tmp_path / 'alone.py', 'clsa-reid_r50_prw-crops', REID_ALONE)
    joined = narrow_config(tmp_path / 'joined.py', 'clsa-twostep_r50_prw', JOINED)
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    model = MODELS.build(joined.model)
    state = model.state_dict()
    torch.save({'state_dict': state}, tmp_path / 'joined.pth')
    torch.save(
        {'state_dict': {k: v for k, v in state.items() if k.startswith('reid.')}},
        tmp_path / 'alone.pth',
    )
    embeddings = []
    for name, detector in (('alone', 'has no detector'), ('joined', 'FasterRCNN was not exported')):
        said = run_tool_here(
            'tools/deployment/export_onnx.py', tmp_path / f'{name}.py', tmp_path / f'{name}.pth',
            '--out', tmp_path / name,
        )  # fmt: skip
        assert detector in said
        searcher = OnnxSearcher(tmp_path / name)
        picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        embeddings.append(searcher.embed_boxes(picture, [[10, 10, 40, 70], [60, 5, 90, 80]]))
        own = PersonSearchInferencer(tmp_path / f'{name}.py', tmp_path / f'{name}.pth', 'cpu')
        expected = own.embed_boxes(picture, [[10, 10, 40, 70], [60, 5, 90, 80]])
        np.testing.assert_allclose(embeddings[-1], expected, atol=1e-4)
    np.testing.assert_allclose(*embeddings, atol=1e-4)
    with pytest.raises(ConfigError, match='finds nobody by itself'):
        PersonSearchInferencer(tmp_path / 'alone.py', tmp_path / 'alone.pth', 'cpu')(picture)


def narrow_config(path, name, changes):
    """Write a config with the overrides that the tools get; return it."""
    values = {key: DictAction._parse_iterable(str(value)) for key, value in changes.items()}
    cfg = load_config(f'configs/clsa/{name}.py', values)
    cfg.dump(path)
    return cfg


def test_people_without_identity_join_by_option(home):
    """OIM's queue fills, and the alignment has them."""
    data, root = home
    changes = {
        **REID_ALONE,
        'num_unlabelled': 3,
        'model.reid.head.align_unlabeled': True,
        'model.reid.head.loss_id.type': 'OIMLoss',
        'model.reid.head.loss_id.queue_size': 5,
    }
    cfg = narrow_config(root / 'queue.py', f'clsa-reid_r50_{data}-crops', changes)
    cfg.work_dir, cfg.log_level = str(root / 'work'), 'ERROR'
    for name in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[name] = None
    runner = build_runner(cfg)
    runner.train()
    batch = next(iter(runner.train_dataloader))
    ids = [int(s.gt_instances.person_ids[0]) for s in batch['data_samples']]
    assert [person < 0 for person in ids] == [False] * 4 + [True] * 3
    memories = [m for m in runner.model.modules() if isinstance(m, IdentityMemory)]
    assert len(memories) == 3
    assert all(memory.queue.any(dim=1).sum() >= 3 for memory in memories)


def test_a_detector_has_no_embeddings_to_save(home, run_tool_to_its_error):
    data, root = home
    config = f'configs/detectors/faster-rcnn_r50_{data}.py'
    said = run_tool_to_its_error('tools/test.py', config, '--out', root / 'a.npz')
    assert '--out and --show-dir need a PersonSearchMetric' in said
    said = run_tool_to_its_error('tools/test.py', config, '--gt-boxes')
    assert said == 'error: --gt-boxes is for a PersonSearcher, but the model is a FasterRCNN'
    with pytest.raises(ConfigError, match='is a FasterRCNN, which describes nobody'):
        PersonSearchInferencer(config, None, 'cpu')
