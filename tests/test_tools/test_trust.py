"""No tool runs what is pickled in a checkpoint or written in an index, unless told to."""

from __future__ import annotations

import ast
import json
import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmclsa.engine.model_description import describe_model
from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import BuildCommand, BuildFile, open_for_build
from mmclsa.inference import PersonSearchInferencer, embedder_of_index
from tests.evil import evil_text, write_evil
from tests.helpers import REPO
from tests.ranks import run_tool_forked
from tests.test_gallery.stored import change_manifest
from tests.test_inference.conftest import checkpoints  # noqa: F401 (a fixture)
from tests.test_tools.test_tiny_config import CONFIG, OPTIONS, gloo

INIT = 'init_cfg.type=Pretrained', 'init_cfg.checkpoint={evil}'


def initialised(part: str) -> list[str]:
    return [f'{part}.{field}' for field in INIT]


def search(tool: str, *more: str) -> list[str]:
    return [tool, '{index}', *more, '--device', 'cpu']


QUERY = ('--query', '{picture}', '--person', '1')
WORK = ('--work-dir', '{work}')
TRAIN = ('tools/train.py', '{config}', *WORK)
GIVEN = ('--config', '{config}', '--checkpoint', '{evil}')
COCO = ('--coco', '{truth}', '{folder}')
TRUTH = (*COCO, '--annotated-boxes')
BENCHMARK = ('tools/analysis_tools/benchmark_build.py', '{config}', '{picture}')
# Every way in which a tool comes to load a checkpoint; {evil} is one.
COMMANDS = {
    'train, resume': [*TRAIN, '--resume', '{evil}', *OPTIONS],
    'train, resume the last': [*TRAIN, '--resume', *OPTIONS],
    'train, load_from': [*TRAIN, *OPTIONS, 'load_from={evil}'],
    'train, detector': [*TRAIN, *OPTIONS, *initialised('model.detector')],
    'train, neck': [*TRAIN, *OPTIONS, *initialised('model.reid.neck')],
    'train, prefix': [
        *(*TRAIN, *OPTIONS, *initialised('model.detector.backbone')),
        'model.detector.backbone.init_cfg.prefix=backbone.',
    ],
    'test': ['tools/test.py', '{config}', '{evil}', *WORK, *OPTIONS],
    'test, backbone': [
        'tools/test.py',
        '{config}',
        *WORK,
        *OPTIONS,
        *initialised('model.detector.backbone'),
    ],
    'build': ['tools/build_gallery.py', '{config}', '{evil}', '{picture}', '--out', '{work}'],
    'export': ['tools/deployment/export_onnx.py', '{config}', '{evil}', '--out', '{work}'],
    'benchmark': [*BENCHMARK, '--checkpoint', '{evil}'],
    'search': search('tools/search_gallery.py', *QUERY),
    'search, given': search('tools/search_gallery.py', *QUERY, *GIVEN),
    'page': search('tools/webui.py'),
    'page, pictures of it': ['tools/misc/webui_pictures.py', '{index}', '{picture}'],
    'page, given': search('tools/webui.py', *GIVEN),
    'evaluate': search('tools/analysis_tools/eval_gallery.py', *TRUTH),
    'evaluate tracks': ['tools/analysis_tools/eval_tracks.py', '{config}', '{evil}', *COCO],
    'evaluate probabilities': [
        'tools/analysis_tools/eval_calibration.py',
        '{config}',
        '{evil}',
        *COCO,
    ],
    'evaluate, given': search('tools/analysis_tools/eval_gallery.py', *TRUTH, *GIVEN),
    **{
        f'convert, {name}': [
            f'tools/model_converters/{name}.py',
            '{evil}',
            '--out',
            '{work}/out.pth',
        ]
        for name in ('coat', 'fast_reid', 'nae', 'oim', 'seqnet', 'solider', 'torchreid')
    },
}


@pytest.fixture(scope='session')
def described_index(tmp_path_factory, checkpoints):  # noqa: F811
    """An index of nobody, with its model."""
    inferencer = PersonSearchInferencer(checkpoints['scene'], checkpoints['scene_weights'], 'cpu')
    build = BuildFile(describe_model(inferencer.cfg), 'gone.pth', commands=(BuildCommand(()),))
    folder = tmp_path_factory.mktemp('described') / 'index'
    open_for_build(folder, inferencer.fingerprint, build).close()
    return folder


def rewrite(path, drop=(), **content) -> None:
    written = {**json.loads(path.read_text()), **content}
    path.write_text(json.dumps({k: v for k, v in written.items() if k not in drop}))


@pytest.fixture
def names(tmp_path, checkpoints, described_index):  # noqa: F811
    """Files of a stranger: a checkpoint, and an index that names it."""
    evil, mark = write_evil(tmp_path)
    picture = tmp_path / 'p' / 'a.png'
    picture.parent.mkdir()
    cv2.imwrite(str(picture), np.zeros((96, 128, 3), np.uint8))
    image = dict(id=1, file_name='a.png', width=128, height=96)
    person = dict(id=1, image_id=1, bbox=[10, 10, 30, 60], person_id=3)
    truth = dict(images=[image], annotations=[person], categories=[dict(id=1, name='person')])
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work' / 'last_checkpoint').write_text(str(evil))
    shutil.copytree(described_index, tmp_path / 'index')
    rewrite(tmp_path / 'index' / 'build.json', checkpoint=str(evil))
    return dict(
        evil=evil,
        mark=mark,
        picture=picture,
        folder=picture.parent,
        truth=tmp_path / 'truth.json',
        work=tmp_path / 'work',
        index=tmp_path / 'index',
        config=CONFIG,
        good=checkpoints['scene_weights'],
    )


@pytest.mark.parametrize('command', COMMANDS)
def test_code_in_a_checkpoint(run_tool_to_its_error, names, command):
    arguments = [str(word).format(**names) for word in COMMANDS[command]]
    sentence = run_tool_to_its_error(*arguments)
    assert not names['mark'].exists()
    assert f'{names["evil"]} has posix.system in it' in sentence
    assert '--trust-checkpoint' in sentence


def test_every_tool_that_loads_one_is_tried():
    loading = re.compile(
        r"add_argument\(\s*'(--)?(checkpoint|resume)'|Inferencer\(|embedder_of_index\(|"
        r'add_converter_options\('
    )
    asking = {
        str(path.relative_to(REPO))
        for path in (REPO / 'tools').rglob('*.py')
        if loading.search(path.read_text())
    }
    assert asking == {command[0] for command in COMMANDS.values()}
    for tool in asking:
        text = (REPO / tool).read_text()
        assert 'add_trust_option(parser)' in text or 'add_converter_options(parser)' in text, tool


RISKY = re.compile(
    r'(torch|pickle|hub|cloudpickle|dill|joblib)\.loads?|load_state_dict_from_url|load_url|'
    r'_?load_checkpoint|Config\.fromstring|eval|exec|yaml\.\w*load'
)


def test_nobody_else_unpickles():
    """One place loads torch files, and nothing reads pickles or runs configs of strangers."""
    found = []
    for path in [*(REPO / 'mmclsa').rglob('*.py'), *(REPO / 'tools').rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                if RISKY.fullmatch(name) or words.get('allow_pickle') == 'True':
                    found.append((str(path.relative_to(REPO)), name))
                if name.rpartition('.')[::2] in (('np', 'load'), ('numpy', 'load')):
                    assert words.get('allow_pickle') == 'False', path
    assert sorted(found) == [
        # MMEngine's, which is guarded, as is that of config_and_weights.py:
        ('mmclsa/engine/methods/prediction.py', 'load_checkpoint'),
        ('mmclsa/engine/model_description.py', 'Config.fromstring'),  # where it is trusted
        ('mmclsa/inference/config_and_weights.py', '_load_checkpoint'),
        ('tools/build_gallery.py', 'Config.fromstring'),  # the user's own config
    ]


def test_trusted(run_tool_to_its_error, names):
    """It is loaded, and then found to be of another model."""
    sentence = run_tool_to_its_error(
        'tools/test.py', CONFIG, names['evil'], '--work-dir', names['work'],
        '--trust-checkpoint', *OPTIONS,
    )  # fmt: skip
    assert 'of another model' in sentence
    assert names['mark'].exists()


@pytest.mark.parametrize('command', [name for name in COMMANDS if name.startswith('convert')])
def test_trusted_by_converters(run_tool_to_its_error, names, command):
    arguments = [str(word).format(**names) for word in COMMANDS[command]]
    sentence = run_tool_to_its_error(*arguments, '--trust-checkpoint')
    assert 'posix.system' not in sentence
    assert names['mark'].exists()


@gloo
def test_two_processes(names):
    command = [CONFIG, names['evil'], '--work-dir', names['work'], *OPTIONS]
    done = run_tool_forked('tools/test.py', *command, ranks=2)
    assert done.returncode != 0
    assert 'posix.system in it' in done.stderr
    assert not names['mark'].exists()


class TestIndex:
    """What an index says of its model, when a stranger says it."""

    def rewrite(self, names, drop=(), **content) -> None:
        rewrite(names['index'] / 'build.json', drop, **content)

    def search(self, run, names) -> str:
        words = search('tools/search_gallery.py', *QUERY)
        return run(*(str(word).format(**names) for word in words))

    @pytest.mark.parametrize('how', ['runs', 'imports', 'template', 'base'])
    def test_python_of_an_older_one(self, run_tool_to_its_error, names, tmp_path, monkeypatch, how):
        (tmp_path / 'evil_module.py').write_text(evil_text(names['mark']))
        monkeypatch.syspath_prepend(tmp_path)
        text = {
            'runs': evil_text(names['mark']),
            'imports': "custom_imports = dict(imports=['evil_module'])\nmodel = dict(type='Gone')",
            'template': f"model = dict(type='{{{{ fileBasename }}}}', a=__import__('os').system"
            f"('touch {names['mark']}'))",
            'base': f"_base_ = [{str(tmp_path / 'evil_module.py')!r}]\nmodel = dict(type='Gone')",
        }[how]
        self.rewrite(names, drop=('embedder',), config=text, checkpoint=names['good'])
        sentence = self.search(run_tool_to_its_error, names)
        assert not names['mark'].exists()
        assert 'build.json' in sentence
        assert '--trust-checkpoint' in sentence

    def test_python_that_is_data(self, names, checkpoints):  # noqa: F811
        """The text that MMEngine wrote is read without being run."""
        text = Config.fromfile(checkpoints['scene']).pretty_text
        self.rewrite(names, drop=('embedder',), config=text, checkpoint=names['good'])
        embedder = embedder_of_index(names['index'], device='cpu')
        with GalleryIndex.open(names['index']) as index:
            assert embedder.fingerprint == index.model

    def test_python_of_one_who_is_trusted(self, names):
        self.rewrite(
            names, drop=('embedder',), config=evil_text(names['mark']), checkpoint=names['good']
        )
        with pytest.raises(ConfigError):  # it has no pipeline, but was run
            embedder_of_index(names['index'], device='cpu', trust_checkpoint=True)
        assert names['mark'].exists()

    @pytest.mark.parametrize('kind', ['os.system', 'subprocess.Popen', 'mmclsa.x', 'Popen', None])
    def test_backend(self, run_tool_to_its_error, names, kind):
        """The manifest names a class, which is built with what the manifest says."""
        evil = dict(type=kind, args=['touch', str(names['mark'])])
        if kind is None:
            evil.pop('type')
        change_manifest(names['index'], backend=evil)
        self.search(run_tool_to_its_error, names)
        assert not names['mark'].exists()


class TestWeightsWithConfig:
    def test_data_is_taken(self, checkpoints, tmp_path):  # noqa: F811
        """A checkpoint of training says in JSON which model it is of."""
        cfg = Config.fromfile(checkpoints['scene'])
        content = torch.load(checkpoints['scene_weights'])
        mark = tmp_path / 'mark'
        content['meta'] = dict(cfg=evil_text(mark), mmclsa_model=json.dumps(describe_model(cfg)))
        torch.save(content, tmp_path / 'a.pth')
        named = PersonSearchInferencer(cfg, checkpoints['scene_weights'], 'cpu')
        assert PersonSearchInferencer(weights=tmp_path / 'a.pth').fingerprint == named.fingerprint
        assert not mark.exists()

    def test_python_is_not_run(self, checkpoints, tmp_path):  # noqa: F811
        content = torch.load(checkpoints['scene_weights'])
        mark = tmp_path / 'mark'
        content['meta'] = dict(cfg=evil_text(mark))
        torch.save(content, tmp_path / 'a.pth')
        with pytest.raises(ConfigError, match=r'a\.pth carries its config as Python text'):
            PersonSearchInferencer(weights=tmp_path / 'a.pth')
        assert not mark.exists()
        with pytest.raises(ConfigError, match='must begin with LoadSceneImage'):
            PersonSearchInferencer(weights=tmp_path / 'a.pth', trust_checkpoint=True)
        assert mark.exists()
