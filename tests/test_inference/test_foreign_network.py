"""A gallery by a re-ID network in an ONNX file: built, searched and served without a checkpoint."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex
from mmclsa.inference import PersonSearchInferencer, embedder_of_index
from mmclsa.inference.export import export_searcher
from mmclsa.inference.onnx import OnnxSearcher
from mmclsa.webui import GalleryService
from tests.fakes.footage import write
from tests.fakes.networks import make_network
from tests.helpers import REPO
from tests.test_inference.test_onnx_searcher import BOXES, picture

SIZE = (64, 32)
FEW = ('--det-thresh', 0.25, '--device', 'cpu', '--batch-size', 1)
QUERY = ('--person', 1, '--device', 'cpu')


@pytest.fixture(scope='session')
def detector(checkpoints, tmp_path_factory) -> Path:
    """Weights of the tiny detector alone, as others publish theirs."""
    state = torch.load(checkpoints['crop_weights'])['state_dict']
    path = tmp_path_factory.mktemp('detector') / 'detector.pth'
    kept = {k.removeprefix('detector.'): v for k, v in state.items() if k.startswith('detector.')}
    torch.save(kept, path)
    return path


@pytest.fixture(scope='module')
def built(checkpoints, detector, tmp_path_factory) -> Path:
    """A folder with config.py, whose weights are all in files that it names, and an index by it."""
    folder = tmp_path_factory.mktemp('foreign')
    cfg = Config.fromfile(checkpoints['crop'])
    file = make_network(folder / 'reid ü.onnx')
    cfg.model.reid = dict(type='OnnxReID', file=str(file), crop_size=SIZE)
    cfg.model.detector.init_cfg = dict(type='Pretrained', checkpoint=str(detector))
    cfg.dump(folder / 'config.py')
    for number in range(3):
        write(folder / 'footage' / f'{number}.png', picture(number))
    arguments = (folder / 'config.py', folder / 'footage', '--out', folder / 'index', *FEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['build_gallery', *map(str, arguments)])
        runpy.run_path(str(REPO / 'tools' / 'build_gallery.py'), run_name='tool')['main']()
    return folder


@pytest.fixture
def config(built) -> Path:
    return built / 'config.py'


@pytest.fixture
def pictures(built) -> Path:
    return built / 'footage'


@pytest.fixture
def index(built, tmp_path) -> Path:
    """A copy of the index, which a test may change."""
    return Path(shutil.copytree(built / 'index', tmp_path / 'index'))


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run a tool in this process; the exit code, stdout and stderr."""

    def run(name: str, *args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / 'tools' / f'{name}.py'), run_name='__main__')
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


class TestIndex:
    """What was seen: the search and the page refused the index of such a network."""

    def test_search_needs_nothing_but_the_index(self, tool, index, pictures):
        query = ('--query', pictures / '2.png')
        code, table, error = tool('search_gallery', index, *query, *QUERY)
        assert code == 0, error
        assert '2.png' in table.splitlines()[3]
        assert '| 1.000' in table.splitlines()[3]

    def test_page_takes_it(self, index, pictures):
        embedder = embedder_of_index(index, device='cpu')
        with GalleryIndex.open(index, embedder.fingerprint) as opened:
            service = GalleryService(opened, embedder)
            key, _ = service.upload((pictures / '2.png').read_bytes(), '2.png')
            answer = service.search([service.describe_person(key, 1)])
        assert answer.hits[0].record.source == str(pictures / '2.png')
        assert answer.hits[0].similarity == pytest.approx(1, abs=1e-3)

    def test_checkpoint_may_be_said_to_be_none(self, tool, tmp_path, config, index, pictures):
        one, two = pictures / '0.png', pictures
        # Options may stand between the sources and what comes before them.
        for first in (('none', '--out', tmp_path / 'again', one), (one, two)):
            shutil.rmtree(tmp_path / 'again', ignore_errors=True)
            arguments = (config, *first, '--out', tmp_path / 'again', *FEW)
            code, _, error = tool('build_gallery', *arguments)
            assert code == 0, error
            assert 'No checkpoint is loaded' not in error
            fingerprints = []
            for folder in (index, tmp_path / 'again'):
                with GalleryIndex.open(folder) as opened:
                    fingerprints.append(opened.model)
            assert fingerprints[0] == fingerprints[1]

    def test_another_network_is_refused_and_another_place_is_not(
        self, tool, tmp_path, config, index, pictures
    ):
        query = (index, '--query', pictures / '2.png', *QUERY)
        cfg = Config.fromfile(config)
        moved = shutil.copy(cfg.model.reid.file, tmp_path / 'moved.onnx')
        content = json.loads((index / 'build.json').read_text())
        content['weights']['model.reid.file'] = '/is/gone.onnx'
        (index / 'build.json').write_text(json.dumps(content))
        code, _, error = tool('search_gallery', *query)
        assert code == 2
        assert '/is/gone.onnx, which' in error
        assert 'is no longer there' in error
        assert '--config' in error

        other = make_network(tmp_path / 'other.onnx', seed=1)
        for name, expected in ((moved, 0), (other, 2)):
            cfg.model.reid.file = str(name)
            cfg.dump(tmp_path / 'other.py')
            code, _, error = tool('search_gallery', *query, '--config', tmp_path / 'other.py')
            assert code == expected, error
        assert 'embeddings of another model: weights' in error
        append = (tmp_path / 'other.py', pictures, '--out', index, '--append')
        code, _, error = tool('build_gallery', *append, *FEW)
        assert code == 2
        assert 'embeddings of another model: weights' in error

    def test_settings_of_the_machine_are_no_other_model(self, config, index):
        cfg = Config.fromfile(config)
        cfg.model.reid.update(threads=2, max_crops=1, providers=['CPUExecutionProvider'])
        with GalleryIndex.open(index) as opened:
            assert PersonSearchInferencer(cfg, device='cpu').fingerprint == opened.model
            cfg.model.reid.mean = (0.0, 0.0, 0.0)
            assert PersonSearchInferencer(cfg, device='cpu').fingerprint != opened.model

    def test_exported_graphs_search_it(self, tool, tmp_path, config, index, pictures):
        export = (config, '--out', tmp_path / 'graphs', '--det-thresh', 0.25)
        runpy_tool = REPO / 'tools' / 'deployment' / 'export_onnx'
        code, printed, error = tool(runpy_tool.relative_to(REPO / 'tools'), *export)
        assert code == 0, error
        assert 'detector.onnx, cut.onnx, reid.onnx' in printed
        searcher = OnnxSearcher(tmp_path / 'graphs', threads=1)
        with GalleryIndex.open(index, searcher.fingerprint) as opened:
            (people,) = searcher([picture(2)])
            ((best, *_),) = opened.search(people.embeddings[:1], 3)
        assert best.record.source == str(pictures / '2.png')

    def test_export_takes_the_settings_that_the_index_was_built_with(self, tool, tmp_path, config):
        # Seen: an index of --cfg-options could not be searched with ONNX Runtime at all.
        mean = 'model.reid.mean=1,2,3'
        cfg = Config.fromfile(config)
        cfg.model.reid.mean = (1, 2, 3)
        export = (config, '--out', tmp_path / 'graphs', '--cfg-options', mean)
        code, _, error = tool('deployment/export_onnx', *export)
        assert code == 0, error
        expected = PersonSearchInferencer(cfg, device='cpu').fingerprint
        assert OnnxSearcher(tmp_path / 'graphs', threads=1).fingerprint == expected

    @pytest.mark.parametrize(
        ('places', 'words'),
        [
            ({'model.reid.file': 'https://example.org/a.onnx'}, 'no file: give the config'),
            ({'model.detector.backbone.file': '{here}'}, 'which takes none'),
            ({'model.reid.mean': '{here}'}, 'no place of weights'),
            ({'model.none.init_cfg.checkpoint': '/none.pth'}, 'is no longer there'),
            ({'test_dataloader.file': '{here}'}, 'no place of weights'),
            ({'model.reid.crop_size.file': '{here}'}, 'which takes none'),
        ],
    )
    def test_an_index_from_elsewhere_names_files_alone(self, index, places, words):
        path = index / 'build.json'
        content = json.loads(path.read_text())
        content['weights'].update({k: v.format(here=path) for k, v in places.items()})
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=words):
            embedder_of_index(index, device='cpu')

    def test_description_names_no_file(self, index):
        content = json.loads((index / 'build.json').read_text())
        assert 'onnx' not in json.dumps(content['embedder']).replace('OnnxReID', '')
        assert content['checkpoint'] == ''
        content['embedder']['model']['reid']['file'] = 'a.onnx'
        (index / 'build.json').write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=r'reid\.file .* is not allowed'):
            embedder_of_index(index, device='cpu')


def test_two_processes_build_the_index_of_one(tmp_path, config, index, pictures):
    """Each loads the graph for itself."""
    script = REPO / 'tools' / 'build_gallery.py'
    command = ['torch.distributed.run', '--standalone', '--nproc_per_node', '2', script, config]
    command += [pictures, '--out', tmp_path / 'two', *FEW]
    result = subprocess.run(
        [sys.executable, '-m', *map(str, command)],
        cwd=REPO,
        env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = []
    for folder in (index, tmp_path / 'two'):
        with GalleryIndex.open(folder) as opened:
            where = [(record.source, record.box) for record in opened.records()]
            found.append((opened.model, where, opened.embeddings(opened.rows())))
    assert found[0][:2] == found[1][:2]
    assert len(found[0][1]) > 5
    assert np.allclose(found[0][2], found[1][2], atol=1e-4)


@pytest.mark.parametrize('flip_test', [False, True])
def test_export_does_what_the_branch_does(config, tmp_path, flip_test):
    cfg = Config.fromfile(config)
    cfg.model.reid.update(flip_test=flip_test, mean=(90.0, 100.0, 110.0), std=(50.0, 60.0, 70.0))
    inferencer = PersonSearchInferencer(cfg, device='cpu', det_thresh=0.25)
    export_searcher(inferencer, tmp_path / 'graphs')
    searcher = OnnxSearcher(tmp_path / 'graphs', threads=1)
    assert searcher.fingerprint == inferencer.fingerprint
    for count in (1, 3):
        found = searcher.embed_boxes(picture(), BOXES[:count])
        assert np.abs(found - inferencer.embed_boxes(picture(), BOXES[:count])).max() < 1e-5


@pytest.mark.parametrize(('number', 'flip_test'), [(1, False), (1, True), (4, False)])
def test_export_of_graphs_that_take_a_fixed_number(config, tmp_path, number, flip_test):
    cfg = Config.fromfile(config)
    file = make_network(tmp_path / 'fixed.onnx', (number, 3, *SIZE))
    cfg.model.reid.update(file=str(file), flip_test=flip_test)
    inferencer = PersonSearchInferencer(cfg, device='cpu')
    if (number, flip_test) != (1, False):
        with pytest.raises(ConfigError, match=f'takes {number} crops at once'):
            export_searcher(inferencer, tmp_path / 'graphs')
        assert not (tmp_path / 'graphs' / 'searcher.json').exists()
        return
    export_searcher(inferencer, tmp_path / 'graphs')
    found = OnnxSearcher(tmp_path / 'graphs', threads=1).embed_boxes(picture(), BOXES)
    assert np.abs(found - inferencer.embed_boxes(picture(), BOXES)).max() < 1e-5


def test_a_model_of_ours_needs_its_checkpoint(tool, checkpoints, pictures, tmp_path):
    """A folder in its place is no source: nobody wants an index of a model without training."""
    for given in ((pictures,), (pictures, pictures)):
        code, _, error = tool('build_gallery', checkpoints['crop'], *given, '--out', tmp_path / 'i')
        assert code == 2
        assert 'checkpoint' in error
    assert not (tmp_path / 'i').exists()
