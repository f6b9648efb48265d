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
import contextlib, io, json, runpy, sys
FRAMEWORKS = {'torch', 'mmengine', 'mmcv', 'mmdet'}
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in FRAMEWORKS:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Wall())

def run(tool, *args):
    sys.argv, said = [tool, *map(str, args)], io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_path(f'tools/{tool}.py', run_name='__main__')
        except SystemExit as ended:
            return ended.code, said.getvalue()
"""
ALL = """
from pathlib import Path
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import build_gallery, plan_units
from mmclsa.inference import choose_queries, search
from mmclsa.inference.onnx import OnnxSearcher

graphs, footage, work = map(Path, sys.argv[1:])
kept, made = work / 'kept', work / 'made'
searcher = OnnxSearcher(graphs, threads=1)
with GalleryIndex.create(kept, searcher.fingerprint) as index:
    build_gallery(index, searcher, plan_units([footage]))
query = footage / '1.png'
queries = choose_queries(searcher, query, people=1)
hits = search(searcher, queries, kept, topk=2)
thrown_away = search(searcher, queries, footage, topk=2)
files = [path.name for path in hits.save(work / 'saved')]

asking = ('--query', query, '--person', 1, '--topk', 2)
ran = [
    run('search_gallery', kept, *asking, '--onnx', graphs, '--out-dir', work / 'found'),
    run('build_gallery', '--onnx', graphs, footage, '--out', made),
    run('search_gallery', made, *asking, '--out-dir', work / 'again'),
]
of_torch = dict(embedder={'model': {}}, checkpoint='', backend='torch', jobs=[])
(kept / 'build.json').write_text(json.dumps(of_torch))
ran.append(run('search_gallery', kept, *asking))
shown = [hits.to_dict(), thrown_away.to_dict(), repr(hits), files]
print(json.dumps([shown, ran]))
"""


@pytest.fixture
def footage(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)
        write(tmp_path / 'footage' / f'{number}.png', noise)
    return tmp_path / 'footage'


def test_a_gallery_without_any_framework(exported, footage, tmp_path):
    result = run_python('-c', WALL + ALL, exported('crop')[2], footage, tmp_path)
    assert result.returncode == 0, result.stderr
    (hits, thrown_away, table, files), ran = json.loads(result.stdout)
    assert hits['hits'][0]['source'] == str(footage / '1.png')
    assert hits['hits'][0]['similarity'] == pytest.approx(1, abs=1e-3)
    assert [hit['box'] for hit in hits['hits']] == [hit['box'] for hit in thrown_away['hits']]
    assert '1.png' in table
    assert files[:2] == ['results.json', 'rank_list.png']

    assert [code for code, _ in ran] == [0, 0, 0, 2], ran
    for folder in ('found', 'again'):
        assert json.loads((tmp_path / folder / 'results.json').read_text())['hits'] == hits['hits']
    assert '3 pictures' in ran[1][1]
    assert "No module named 'torch'" in ran[3][1]
    assert '--onnx' in ran[3][1]
    with pytest.raises(ConfigError, match='exported graphs alone have built the index'):
        embedder_of_index(tmp_path / 'made', checkpoint='a.pth')
    for given in (dict(config='a.py'), dict(device='cuda:0')):  # either was ignored
        with pytest.raises(ConfigError, match='--config and --device are of PyTorch'):
            embedder_of_index(tmp_path / 'made', **given)


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
    sentence = run_tool_to_its_error(*command, '--runtime', 'torch')
    assert '--onnx and --runtime torch contradict each other' in sentence
