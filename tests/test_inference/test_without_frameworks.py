"""With exported graphs a gallery is built, searched and shown where no framework is."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.inference import embedder_of_index
from tests.fakes.footage import write
from tests.helpers import run_python

#: Lets nothing of PyTorch or OpenMMLab be imported by what comes behind it.
WALL = """
import json, runpy, sys
FRAMEWORKS = {'torch', 'mmengine', 'mmcv', 'mmdet'}
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in FRAMEWORKS:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Wall())
"""
IN_PYTHON = """
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import build_gallery, plan_units
from mmclsa.inference import choose_queries, search
from mmclsa.inference.onnx import OnnxSearcher

graphs, footage, index_dir, out = sys.argv[1:]
searcher = OnnxSearcher(graphs, threads=1)
with GalleryIndex.create(index_dir, searcher.fingerprint) as index:
    build_gallery(index, searcher, plan_units([footage]))
queries = choose_queries(searcher, f'{footage}/1.png', people=1)
kept = search(searcher, queries, index_dir, topk=2)
thrown_away = search(searcher, queries, footage, topk=2)
files = [path.name for path in kept.save(out)]
print(json.dumps([kept.to_dict(), thrown_away.to_dict(), kept.table(), files]))
"""
TOOL = """
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture
def footage(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)
        write(tmp_path / 'footage' / f'{number}.png', noise)
    return tmp_path / 'footage'


def test_a_gallery_without_any_framework(exported, footage, tmp_path):
    graphs, index = exported('crop')[2], tmp_path / 'index'
    result = run_python('-c', WALL + IN_PYTHON, graphs, footage, index, tmp_path / 'out')
    assert result.returncode == 0, result.stderr
    kept, thrown_away, table, files = json.loads(result.stdout)
    assert kept['hits'][0]['source'] == str(footage / '1.png')
    assert kept['hits'][0]['similarity'] == pytest.approx(1, abs=1e-3)
    assert [hit['box'] for hit in kept['hits']] == [hit['box'] for hit in thrown_away['hits']]
    assert '1.png' in table
    assert files[:2] == ['results.json', 'rank_list.png']

    searching = (index, '--query', footage / '1.png', '--person', 1, '--topk', 2)
    tool = (WALL + TOOL, 'tools/search_gallery.py', *searching)
    result = run_python('-c', *tool, '--onnx', graphs, '--out-dir', tmp_path / 'found')
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / 'found' / 'results.json').read_text())
    assert found['hits'] == kept['hits']

    by_tool = tmp_path / 'by_tool'
    build = (WALL + TOOL, 'tools/build_gallery.py', '--onnx', graphs, footage, '--out', by_tool)
    result = run_python('-c', *build)
    assert result.returncode == 0, result.stderr
    assert '3 pictures' in result.stderr
    searching_it = (WALL + TOOL, 'tools/search_gallery.py', by_tool, *searching[1:])
    result = run_python('-c', *searching_it, '--out-dir', tmp_path / 'again')
    assert result.returncode == 0, result.stderr
    again = json.loads((tmp_path / 'again' / 'results.json').read_text())
    assert again['hits'] == kept['hits']
    with pytest.raises(ConfigError, match='exported graphs alone have built the index'):
        embedder_of_index(by_tool, checkpoint='a.pth')

    (index / 'build.json').write_text(
        json.dumps(dict(embedder={'model': {}}, checkpoint='', backend='torch', jobs=[]))
    )
    result = run_python('-c', *tool)
    assert result.returncode == 2, result.stderr
    assert 'Traceback' not in result.stderr
    assert "No module named 'torch'" in result.stderr
    assert '--onnx' in result.stderr


@pytest.mark.parametrize('other', ['config', 'checkpoint', 'device'])
def test_exported_graphs_take_the_place_of_the_rest(run_tool_to_its_error, tmp_path, other):
    GalleryIndex.create(tmp_path / 'i', ModelFingerprint('a' * 64, 'b' * 64, 4)).close()
    command = ('tools/search_gallery.py', tmp_path / 'i', '--query', 'a.jpg', '--onnx', 'graphs')
    sentence = run_tool_to_its_error(*command, f'--{other}', 'x')
    assert '--onnx takes the place of --config, --checkpoint and --device' in sentence


def test_exported_graphs_have_no_config(run_tool_to_its_error, footage, tmp_path):
    command = ('tools/build_gallery.py', '--onnx', 'graphs', footage, '--out', tmp_path / 'i')
    sentence = run_tool_to_its_error(*command, '--device', 'cpu')
    assert '--onnx takes the place of config, --cfg-options and --device' in sentence
