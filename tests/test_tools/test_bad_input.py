"""What is wrong with the input is one sentence and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
import runpy
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.registry import MODELS
from tests.fakes import make_fake_coco, make_fake_cuhk_sysu, make_fake_mot, make_fake_prw
from tests.helpers import REPO

TRAIN, TEST = 'tools/train.py', 'tools/test.py'
VERIFY = 'tools/misc/verify_dataset.py'
RANKS = 'tools/analysis_tools/show_ranks.py'
CURVES = 'tools/analysis_tools/plot_curves.py'
SEARCH = 'tools/analysis_tools/eval_search.py'
MOT = 'tools/dataset_converters/mot_to_coco.py'

CONFIG = """
_base_ = [{base!r}]
train_dataloader = dict(
    batch_size=8,
    num_workers={workers},
    dataset=dict(
        _delete_=True,
        num_identities=4,
        pipeline={{{{_base_.train_pipeline}}}},
        **{dataset!r},
    ),
)
test_dataloader = dict(
    num_workers={workers},
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        pipeline={{{{_base_.test_pipeline}}}},
        protocol_files='protocol.json',
        test_mode=True,
        **{dataset!r},
    ),
)
val_dataloader = val_evaluator = val_cfg = None
model = dict(reid=dict(head=dict(num_identities=4)))
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=1)
"""


def write_config(path, root, workers=0):
    dataset = dict(
        type='CocoPersonSearchDataset',
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
    )
    base = str(REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py')
    path.write_text(CONFIG.format(base=base, dataset=dataset, workers=workers))
    return path


@pytest.fixture
def root(tmp_path):
    return make_fake_coco(tmp_path / 'data')


@pytest.fixture
def config(tmp_path, root):
    return write_config(tmp_path / 'config.py', root)


@pytest.fixture(scope='module')
def state():
    """Weights of the tiny config's model, as it is built."""
    cfg = Config.fromfile(REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py')
    init_default_scope('mmclsa')
    cfg.model.reid.head.num_identities = 4
    return MODELS.build(cfg.model).state_dict()


def leftovers(folder):
    """Find checkpoints, results and temporary files."""
    kinds = {'.pth', '.npz', '.png', '.tmp'}
    return [p for p in folder.rglob('*') if p.suffix in kinds or '.tmp' in p.suffixes]


def edit(file, change):
    def apply(root):
        content = json.loads((root / file).read_text())
        change(content)
        (root / file).write_text(json.dumps(content))

    return apply


def truncate(file):
    def apply(root):
        data = (root / file).read_bytes()
        (root / file).write_bytes(data[: len(data) // 2])

    return apply


def put(file, data=b''):
    return lambda root: (root / file).write_bytes(data)


def remove(file):
    def apply(root):
        path = root / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


ANN = 'annotations.json'
#: What is done to the data set, and what the sentence has.
BROKEN_DATA = {
    'annotations missing': (remove(ANN), 'annotations.json is missing; docs/datasets.md'),
    'annotations truncated': (truncate(ANN), 'annotations.json is no readable JSON'),
    'annotations empty': (put(ANN), 'annotations.json is no readable JSON'),
    'annotations a list': (put(ANN, b'[1]'), "annotations.json: the field 'images' is missing"),
    'key missing': (
        edit(ANN, lambda c: c.pop('annotations')),
        "annotations.json: the field 'annotations' is missing",
    ),
    'no list': (
        edit(ANN, lambda c: c.update(annotations=3)),
        'annotations.json: annotations must be a list, but got 3',
    ),
    'no images': (edit(ANN, lambda c: c.update(images=[])), 'field images: expected at least one'),
    'no record': (edit(ANN, lambda c: c.update(images=[1])), "images[0]: the field 'id' is miss"),
    'id twice': (edit(ANN, lambda c: c['images'][1].update(id=1)), 'images[1]: id 1 occurs twice'),
    'width': (
        edit(ANN, lambda c: c['images'][1].update(width='wide')),
        "images[1]: width must be an integer, but got 'wide'",
    ),
    'camera': (
        edit(ANN, lambda c: c['images'][1].update(cam_id='left')),
        "images[1]: cam_id must be an integer, but got 'left'",
    ),
    'person id': (
        edit(ANN, lambda c: c['annotations'][2].update(person_id=1.5)),
        'annotations[2]: person_id must be an integer, but got 1.5',
    ),
    'NaN box': (
        edit(ANN, lambda c: c['annotations'][1].update(bbox=[1, 2, float('nan'), 3])),
        'annotations[1]: bbox must be 4 finite numbers x y w h',
    ),
    'image folder missing': (remove('img'), 'img is missing; docs/datasets.md'),
    'first image missing': (remove('img/000001.jpg'), '000001.jpg is missing; docs/datasets.md'),
}
BROKEN_PICTURES = {
    'missing': (remove('img/000003.jpg'), '000003.jpg cannot be read (No such file'),
    'empty': (put('img/000003.jpg'), '000003.jpg (0 bytes) is empty or broken'),
    'truncated': (truncate('img/000003.jpg'), 'is empty or broken and cannot be decoded'),
}
BROKEN_PROTOCOLS = {
    'missing': (remove('protocol.json'), 'protocol.json is missing'),
    'truncated': (truncate('protocol.json'), 'protocol.json is no readable JSON'),
    'a list': (put('protocol.json', b'[]'), "protocol.json: the field 'queries' is missing"),
    'no list': (
        edit('protocol.json', lambda c: c.update(queries=5)),
        'protocol.json: queries must be a list, but got 5',
    ),
    'no queries': (edit('protocol.json', lambda c: c.update(queries=[])), 'at least one query'),
    'box missing': (
        edit('protocol.json', lambda c: c['queries'][1].pop('bbox')),
        "queries[1]: the field 'bbox' is missing",
    ),
    'query id': (
        edit('protocol.json', lambda c: c['queries'][0].update(query_id='a')),
        "queries[0]: query_id must be an integer, but got 'a'",
    ),
    'gallery entry': (
        edit('protocol.json', lambda c: c['queries'][1].update(gallery=[[1]])),
        'queries[1]: gallery entry must be an integer or a string, but got [1]',
    ),
    'unknown image': (
        edit('protocol.json', lambda c: c['queries'][0].update(image_id=5)),
        'queries[0]: image_id 5 is not in the annotation file',
    ),
    'nobody annotated': (
        edit(ANN, lambda c: c.update(annotations=[])),
        'protocol.json, queries[0]: no gallery image shows person_id 0',
    ),
}


@pytest.fixture
def verify(monkeypatch, capsys):
    """Run verify_dataset.py: 1 means incomplete, and the sentence is in its table."""

    def run(*args):
        monkeypatch.setattr('sys.argv', [VERIFY, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / VERIFY), run_name='__main__')
        return ended.value.code, capsys.readouterr().out

    return run


class TestDataSet:
    @pytest.mark.parametrize('name', BROKEN_DATA)
    def test_training(self, name, root, config, tmp_path, run_tool_to_its_error, verify):
        change, words = BROKEN_DATA[name]
        change(root)
        assert words in run_tool_to_its_error(TRAIN, config, '--work-dir', tmp_path / 'work')
        assert not leftovers(tmp_path / 'work')
        code, told = verify(config)
        assert code == 1
        assert 'INCOMPLETE' in told
        if 'image' not in name:
            assert words in told

    @pytest.mark.parametrize('name', BROKEN_PROTOCOLS)
    def test_testing(self, name, root, config, tmp_path, run_tool_to_its_error, verify):
        change, words = BROKEN_PROTOCOLS[name]
        change(root)
        out = ['--out', tmp_path / 'out' / 'p.npz', '--json', tmp_path / 'out' / 'f.json']
        message = run_tool_to_its_error(TEST, config, '--work-dir', tmp_path / 'work', *out)
        assert words in message
        assert not list((tmp_path / 'out').iterdir())
        assert verify(config)[0] == 1

    @pytest.mark.parametrize(
        ('name', 'tool', 'workers'),
        [('missing', TEST, 0), ('empty', TRAIN, 0), ('truncated', TRAIN, 1)],
    )
    def test_picture(self, name, tool, workers, root, tmp_path, run_tool_to_its_error, verify):
        """Also when a worker process meets it, whose traceback comes along with the error."""
        change, words = BROKEN_PICTURES[name]
        change(root)
        config = write_config(tmp_path / 'config.py', root, workers)
        message = run_tool_to_its_error(tool, config, '--work-dir', tmp_path / 'work')
        assert words in message
        assert '000003.jpg' in message
        code, told = verify(config)
        assert code == 1
        assert '000003.jpg' in told

    def test_number_of_identities(self, config, tmp_path, run_tool_to_its_error):
        options = ['--work-dir', tmp_path / 'work', '--cfg-options']
        message = run_tool_to_its_error(TRAIN, config, *options, 'model.reid.head.num_identities=9')
        assert 'model.reid.head.num_identities is 9, but the training set has 4' in message
        message = run_tool_to_its_error(
            TRAIN, config, *options, 'train_dataloader.dataset.num_identities=9'
        )
        assert 'num_identities is 9 in the config, but the training annotations' in message
        assert '4 identities' in message

    def test_nobody_to_train_on(self, root, config, tmp_path, run_tool_to_its_error):
        edit(ANN, lambda c: c.update(annotations=[]))(root)
        message = run_tool_to_its_error(TRAIN, config, '--work-dir', tmp_path / 'work')
        assert 'num_identities is 4 in the config, but the training annotations of' in message
        assert f'{root} have 0 identities' in message

    def test_unknown_type(self, config, tmp_path, run_tool_to_its_error):
        options = ['--work-dir', tmp_path / 'work', '--cfg-options']
        message = run_tool_to_its_error(
            TRAIN, config, *options, 'train_dataloader.dataset.type=Nothing'
        )
        assert message == (
            'error: the config asks for Nothing, which the registry mmclsa::dataset lacks'
        )


class TestWeights:
    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            (lambda s: {k: v for k, v in s.items() if k.startswith('detector')}, 'lacks'),
            (lambda s: {k: v[:3] if v.ndim else v for k, v in s.items()}, 'must have the shape'),
        ],
        ids=['of the detector alone', 'of another width'],
    )
    def test_weights_of_another_model(
        self, change, words, state, config, tmp_path, run_tool_to_its_error
    ):
        """What is missing would stay random, and its figures would look like figures."""
        torch.save({'state_dict': change(state)}, tmp_path / 'a.pth')
        message = run_tool_to_its_error(
            TEST, config, tmp_path / 'a.pth', '--work-dir', tmp_path / 'work'
        )
        assert words in message
        assert str(tmp_path / 'a.pth') in message

    def test_other_identities_do_not_matter_for_testing(self, state, root, tmp_path, run_tool_here):
        edit('protocol.json', lambda c: c['queries'].pop())(root)
        weights = {k: v[:2] if k.endswith('memory.table') else v for k, v in state.items()}
        assert any(len(v) != len(state[k]) for k, v in weights.items() if v.ndim)
        torch.save({'state_dict': weights}, tmp_path / 'a.pth')
        config = write_config(tmp_path / 'config.py', root)
        out = tmp_path / 'figures.json'
        run_tool_here(
            TEST, config, tmp_path / 'a.pth', '--work-dir', tmp_path / 'work', '--json', out
        )
        assert 'search/fake/mAP' in json.loads(out.read_text())

    @pytest.mark.parametrize('tool', [TRAIN, TEST])
    def test_weights_to_start_from_are_missing(self, tool, config, tmp_path, run_tool_to_its_error):
        absent = tmp_path / 'none.pth'
        message = run_tool_to_its_error(
            tool, config, '--work-dir', tmp_path / 'work', '--cfg-options',
            'model.detector.backbone.init_cfg.type=Pretrained',
            f'model.detector.backbone.init_cfg.checkpoint={absent}',
        )  # fmt: skip
        assert f'{absent} that model.detector.backbone.init_cfg names do not exist' in message
        assert 'docs/clsa.md' in message

    def test_load_from(self, config, tmp_path, run_tool_to_its_error):
        torch.save([1], tmp_path / 'list.pth')
        message = run_tool_to_its_error(
            TRAIN, config, '--work-dir', tmp_path / 'work', '--cfg-options',
            f'load_from={tmp_path / "list.pth"}',
        )  # fmt: skip
        assert 'list.pth has no field "state_dict"' in message


class TestOutputs:
    @pytest.mark.parametrize('option', ['--json', '--out', '--show-dir'])
    def test_a_file_is_in_the_way(self, option, config, tmp_path, run_tool_to_its_error):
        """Said before the test begins, not after it."""
        (tmp_path / 'file').write_text('')
        message = run_tool_to_its_error(
            TEST, config, '--work-dir', tmp_path / 'work', option, tmp_path / 'file' / 'a.npz'
        )
        assert 'cannot write into the folder' in message
        assert not list((tmp_path / 'work').glob('*/*.log')), 'no run was begun'


@pytest.fixture
def predictions(tmp_path):
    """Arrays of a predictions file that fits no data set in particular."""
    return dict(
        image=np.array(['000002.jpg'] * 3),
        bbox=np.array([[1.0, 2, 30, 40]] * 3),
        score=np.array([0.9, 0.8, 0.7]),
        embedding=np.eye(3),
        query_image=np.array(['000001.jpg'] * 4),
        query_bbox=np.array([[1.0, 2, 30, 40]] * 4),
        query_embedding=np.ones((4, 3)),
    )


BROKEN_PREDICTIONS = {
    'array missing': (lambda a: a.pop('score'), "must have an array 'score'"),
    'NaN embedding': (
        lambda a: a['embedding'].__setitem__((1, 1), np.nan),
        'embedding[1] of image 000002.jpg must be finite',
    ),
    'NaN box': (
        lambda a: a['bbox'].__setitem__((2, 0), np.inf),
        'bbox[2] of image 000002.jpg must be finite',
    ),
    'lengths': (lambda a: a.update(score=np.ones(2)), 'score must have the shape (3,)'),
    'dimensions': (
        lambda a: a.update(query_embedding=np.ones((4, 2))),
        'query_embedding must have the shape (4, 3), but has (4, 2)',
    ),
    'objects': (lambda a: a.update(score=np.array([None] * 3)), 'no readable .npz file'),
}


class TestPredictions:
    @pytest.mark.parametrize('name', BROKEN_PREDICTIONS)
    def test_arrays(self, name, predictions, config, root, tmp_path, run_tool_to_its_error):
        change, words = BROKEN_PREDICTIONS[name]
        change(predictions)
        np.savez(tmp_path / 'p.npz', **predictions)
        for command in (
            (RANKS, config, tmp_path / 'p.npz', '--out', tmp_path / 'out'),
            (SEARCH, tmp_path / 'p.npz', '--dataset', 'coco', '--data-root', root),
        ):
            message = run_tool_to_its_error(*command)
            assert words in message
            assert str(tmp_path / 'p.npz') in message
        assert not list((tmp_path / 'out').iterdir())

    @pytest.mark.parametrize('data', [None, b'', b'text', b'PK\x03\x04 half a zip'])
    def test_file(self, data, config, root, tmp_path, run_tool_to_its_error):
        path = tmp_path / 'p.npz'
        if data is not None:
            path.write_bytes(data)
        words = 'p.npz is missing' if data is None else 'p.npz is no readable .npz file'
        assert words in run_tool_to_its_error(RANKS, config, path, '--out', tmp_path / 'out')
        command = (SEARCH, path, '--dataset', 'coco', '--data-root', root)
        assert words in run_tool_to_its_error(*command)

    def test_unknown_protocol(self, predictions, tmp_path, root, run_tool_to_its_error):
        np.savez(tmp_path / 'p.npz', **predictions)
        cuhk = make_fake_cuhk_sysu(tmp_path / 'cuhk', images=False)
        prw = make_fake_prw(tmp_path / 'prw', images=False)
        for name, folder, protocol, words in (
            ('cuhk_sysu', cuhk, 'gallery_51', 'TestG51.mat is missing'),
            ('cuhk_sysu', cuhk, 'regular', "unknown CUHK-SYSU protocol 'regular'"),
            ('prw', prw, 'gallery_50', "unknown PRW protocol 'gallery_50'"),
            ('coco', root, 'none.json', 'none.json is missing'),
        ):
            command = ('--dataset', name, '--data-root', folder, '--protocol', protocol)
            assert words in run_tool_to_its_error(SEARCH, tmp_path / 'p.npz', *command)

    def test_predictions_of_another_data_set(self, predictions, tmp_path, run_tool_to_its_error):
        np.savez(tmp_path / 'p.npz', **predictions)
        cuhk = make_fake_cuhk_sysu(tmp_path / 'cuhk', images=False)
        message = run_tool_to_its_error(
            SEARCH, tmp_path / 'p.npz', '--dataset', 'cuhk_sysu', '--data-root', cuhk
        )
        assert 'query 0 of protocol gallery_50 lies in image s7.jpg' in message


class TestOtherTools:
    @pytest.mark.parametrize(
        ('text', 'words'),
        [
            ('', 'neither losses nor figures'),
            (
                '{"loss": 1.0, "step": "one"}\n',
                "field step of line 1 must be a number, but is 'one'",
            ),
            ('{"loss": 1.0\n{"loss": 1.0}\n', 'line 1 is no JSON'),
        ],
    )
    def test_curves(self, text, words, tmp_path, run_tool_to_its_error):
        (tmp_path / 'scalars.json').write_text(text)
        command = (CURVES, tmp_path / 'scalars.json', '--out', tmp_path / 'a.png')
        message = run_tool_to_its_error(*command)
        assert words in message
        assert 'scalars.json' in message
        assert not (tmp_path / 'a.png').exists()

    @pytest.mark.parametrize('name', ['a.pdf', 'file/a.png'])
    def test_curves_that_cannot_be_written(self, name, tmp_path, run_tool_to_its_error):
        (tmp_path / 'file').write_text('')
        (tmp_path / 'scalars.json').write_text('{"loss": 1.0, "step": 1}\n')
        message = run_tool_to_its_error(CURVES, tmp_path / 'scalars.json', '--out', tmp_path / name)
        assert 'a.pdf must end in .png' in message or 'cannot write into the folder' in message

    @pytest.mark.parametrize(
        ('file', 'data', 'words'),
        [
            ('gt/gt.txt', b'', 'gt.txt has no people'),
            ('gt/gt.txt', b'1,1,5,5,nan,40,1,1,1\n', 'gt.txt line 1 needs at least 7 finite'),
            ('gt/gt.txt', b'1,1,5,5,x,40,1,1,1\n', 'gt.txt line 1 has a column that is no number'),
            ('gt/gt.txt', b'\xff\xfe\x00', 'gt.txt is missing or unreadable'),
            ('seqinfo.ini', b'hello', 'seqinfo.ini is no ini file with a section [Sequence]'),
            ('seqinfo.ini', b'[Sequence]\nimWidth=a\nimHeight=3\n', 'imWidth or imHeight is no'),
        ],
    )
    def test_mot(self, file, data, words, tmp_path, run_tool_to_its_error):
        folder = make_fake_mot(tmp_path / 'mot', 'a')
        (folder / file).write_bytes(data)
        assert words in run_tool_to_its_error(MOT, tmp_path / 'mot', tmp_path / 'out')
        assert not (tmp_path / 'out').exists()

    def test_mot_without_anything_to_search(self, tmp_path, run_tool_to_its_error):
        make_fake_mot(tmp_path / 'mot', 'a')
        command = (MOT, tmp_path / 'mot', tmp_path / 'out', '--min-gap', 1000)
        assert 'nobody is seen in two frames' in run_tool_to_its_error(*command)
        assert not (tmp_path / 'out').exists()
        (tmp_path / 'file').write_text('')
        command = (MOT, tmp_path / 'mot', tmp_path / 'file' / 'out')
        assert 'cannot write into the folder' in run_tool_to_its_error(*command)

    def test_verify(self, tmp_path, config, verify, run_tool_to_its_error, capsys):
        (tmp_path / 'half.py').write_text('model = dict(\n')
        assert 'half.py cannot be read' in run_tool_to_its_error(VERIFY, tmp_path / 'half.py')
        code, _ = verify(config, '--workers', 0)
        assert code == 2
