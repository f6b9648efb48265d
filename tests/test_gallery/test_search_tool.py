"""tools/build_gallery.py and tools/search_gallery.py as a user runs them."""

from __future__ import annotations

import io
import json
import runpy
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex, database, files
from mmclsa.inference import inferencer
from mmclsa.media import VideoReader
from tests.fakes.footage import write, write_video
from tests.helpers import REPO
from tests.test_inference.conftest import (
    checkpoints,  # noqa: F401 (a fixture)
    exported,  # noqa: F401 (a fixture)
)


@pytest.fixture
def tool(monkeypatch, capsys, checkpoints):  # noqa: F811
    """Run a tool in this process; the exit code, stdout and stderr."""

    def run(name: str, *args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        monkeypatch.setattr(sys, 'stdin', io.StringIO())
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / 'tools' / f'{name}.py'), run_name='__main__')
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    def build(*args: object) -> tuple[int, str, str]:
        model = (checkpoints['crop'], checkpoints['crop_weights'])
        options = ('--device', 'cpu', '--det-thresh', 0.25)
        return run('build_gallery', *model, *args, *options)

    run.build = build
    return run


@pytest.fixture
def pictures(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(4):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)
        write(tmp_path / 'mes images é' / f'{number}.png', noise)
    return tmp_path / 'mes images é'


def test_nothing_that_can_be_read_is_no_success(tool, tmp_path, pictures):
    """*Seen*: a build of nothing but broken files ended with 0."""
    folder, index = tmp_path / 'broken', tmp_path / 'index'
    folder.mkdir()
    (folder / 'a.jpg').write_bytes(b'')
    (folder / 'v.mp4').write_bytes(b'no video')
    code, _, error = tool.build(folder, '--out', index)
    assert code == 2
    assert '2 files skipped:' in error
    assert error.splitlines()[-1] == (
        'error: nothing could be read of the sources: 2 files skipped'
    )
    shutil.copy(pictures / '0.png', folder)
    assert tool.build(folder, '--out', index)[0] == 0
    assert tool.build(folder, '--out', index)[0] == 0  # again: what there is was read before


def test_build_and_search(tool, tmp_path, pictures):
    (pictures / 'broken.jpg').write_bytes(b'')
    index = tmp_path / 'index'
    start = ('--camera', 'door', '--start-time', '2024-05-06T07:08:09')
    code, _, error = tool.build(pictures, '--out', index, *start)
    assert code == 0, error
    assert '4 pictures' in error
    assert '1 file skipped' in error
    assert 'broken.jpg (0 bytes) is empty or broken' in error
    assert tool.build(pictures, '--out', index, *start)[0] == 0  # again: nothing to do

    query = pictures / '2.png'
    out = tmp_path / 'out'
    arguments = [index, '--query', query, '--person', 1, '--topk', 3, '--out-dir', out]
    code, table, error = tool('search_gallery', *arguments, '--device', 'cpu')
    assert code == 0, error
    assert '2024-05-06T07:08:09Z' in table
    hits = json.loads((out / 'results.json').read_text())['hits']
    assert len(hits) == 3
    assert hits[0]['source'] == str(query)
    assert hits[0]['similarity'] == pytest.approx(1, abs=1e-3)
    assert hits[0]['camera'] == 'door'
    assert (out / 'rank_list.png').is_file()
    assert (out / 'hit_003.jpg').is_file()
    assert f'{out}: results.json, rank_list.png, 3 scenes\n' in error
    query.rename(tmp_path / 'query.png')
    arguments[2] = tmp_path / 'query.png'
    code, _, error = tool('search_gallery', *arguments, '--device', 'cpu')
    missing = sum(hit['source'] == str(query) for hit in hits)
    assert code == 0, error
    assert f', rank_list.png, {3 - missing} scene' in error
    assert f'{missing} hit{"s have" if missing > 1 else " has"} no scene, as the' in error
    (tmp_path / 'query.png').rename(query)

    # The same person twice, by her box; nobody was there so late.
    box = [round(value) for value in hits[0]['box']]
    several = [index, '--query', query, query, '--box', *box, '--box', *box, '--device', 'cpu']
    code, table, _ = tool('search_gallery', *several, '--rerank', '--group-by-track')
    assert code == 0
    assert '2.png' in table
    code, table, _ = tool('search_gallery', *several, '--from', '2024-05-07')
    assert code == 0
    assert '.png' not in table
    code, table, _ = tool('search_gallery', *several, '--camera', 'elsewhere')
    assert '.png' not in table

    # Several people, and nobody who could be asked.
    code, _, error = tool('search_gallery', index, '--query', query, '--device', 'cpu')
    assert code == 2
    assert 'one must be chosen' in error
    code, _, error = tool('search_gallery', *several, '--person', 1)
    assert code == 2
    assert 'either --box or --person' in error
    beyond = (*several[:3], '--box', 400, 10, 440, 90, '--device', 'cpu')
    code, _, error = tool('search_gallery', *beyond)
    assert code == 2
    assert '2.png: the box [400.0, 10.0, 440.0, 90.0] must have a pixel or more within' in error


def test_names_patterns_and_odd_files(tool, tmp_path, pictures, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (pictures / '0.png').rename(pictures / 'door_20240506_070809.png')
    write(pictures / 'rule.png', np.zeros((3, 3000, 3), np.uint8))
    (pictures / 'notes').mkdir()
    (pictures / 'notes' / 'a.txt').touch()
    index = tmp_path / 'index'
    names = ('--name-pattern', '{camera}_{date}_{time}', '--camera', 'yard')
    code, _, error = tool.build('~/mes*/**', '--out', index, *names)
    assert code == 0, error
    assert '1 other is no footage: .txt 1' in error
    assert '4 files have a name that is not of the pattern' in error
    assert '1 file has its time by name' in error
    assert 'rule.png cannot be used (error: OpenCV' in error
    command = json.loads((index / 'build.json').read_text())['jobs'][0]
    assert command['sources'] == [str(tmp_path / 'mes*/**')]
    with GalleryIndex.open(index) as opened:
        assert set(opened.contents().cameras) == {'door', 'yard'}
        assert opened.contents().time_from == 1714979289.0
    for source, words in {
        'rtsp://camera/1': 'is an address, and streams are not read',
        '~/none/*.jpg': 'is a pattern that no file',
    }.items():
        code, _, error = tool.build(source, '--out', tmp_path / 'other')
        assert (code, words in error, 'Traceback' in error) == (2, True, False), error
    code, _, error = tool.build(pictures, '--out', tmp_path / 'other', '--name-pattern', '{cam}')
    assert code == 2
    assert 'a name pattern must have' in error
    assert not (tmp_path / 'other').exists()


def test_sources_are_planned_once_and_a_video_is_opened_once(tool, tmp_path, monkeypatch):
    video, opened = write_video(tmp_path / 'v.avi', 6), []
    real = VideoReader._open
    monkeypatch.setattr(
        VideoReader, '_open', lambda reader: (opened.append(reader.path), real(reader))[1]
    )
    code, _, error = tool.build(video, '--every', 3, '--out', tmp_path / 'index')
    assert code == 0, error
    assert '2 pictures' in error
    assert opened == [str(video)]


def test_another_command_on_one_index(tool, tmp_path, pictures):
    index = tmp_path / 'index'
    assert tool.build(pictures / '0.png', '--out', index)[0] == 0
    code, _, error = tool.build(pictures, '--out', index)
    assert code == 2
    assert 'built by another command (sources' in error
    assert 'give --append' in error
    assert tool.build(pictures, '--out', index, '--append')[0] == 0
    assert tool.build(pictures, '--out', index)[0] == 0  # known by now
    with GalleryIndex.open(index) as opened:
        assert len(opened.shards()) == 4


def test_a_picture_is_no_checkpoint(tool, tmp_path, pictures, checkpoints):  # noqa: F811
    """*Seen*: without a checkpoint, words of PyTorch about the first picture were the error."""
    sources = [pictures / '0.png', pictures / '1.png']
    code, _, error = tool('build_gallery', checkpoints['crop'], *sources, '--out', tmp_path / 'i')
    assert code == 2
    assert error.startswith('error: the checkpoint must stand before the sources, or "none" for')
    assert error.endswith(f'but {sources[0]} stands there\n')
    assert not (tmp_path / 'i').exists()


def test_another_model_is_refused(tool, tmp_path, pictures, checkpoints):  # noqa: F811
    index = tmp_path / 'index'
    assert tool.build(pictures / '0.png', '--out', index)[0] == 0
    other = ('--config', checkpoints['scene'], '--checkpoint', checkpoints['scene_weights'])
    query = ('--query', pictures / '0.png', '--person', 1)
    code, _, error = tool('search_gallery', index, *query, *other, '--device', 'cpu')
    assert code == 2
    assert 'embeddings of another model' in error


def count_calls(monkeypatch, owner: object, name: str) -> list[tuple]:
    """The arguments of each call of a function, which goes on working."""
    real, seen = getattr(owner, name), []
    monkeypatch.setattr(owner, name, lambda *a, **k: (seen.append(a), real(*a, **k))[1])
    return seen


def test_a_search_opens_and_hashes_the_index_once(tool, tmp_path, pictures, monkeypatch):
    """And the query goes through the network once: finding her has described her."""
    index = tmp_path / 'index'
    graph = ('--index', 'type=FaissBackend', 'kind=hnsw', 'structure_from=1')
    assert tool.build(pictures, '--out', index, *graph)[0] == 0
    assert list(index.glob('structure-*.faiss'))
    opened = count_calls(monkeypatch, database.Database, '__init__')
    hashed = count_calls(monkeypatch, files, '_digest')
    weighed = count_calls(monkeypatch, inferencer, 'weights_digest')
    found = count_calls(monkeypatch, inferencer.PersonSearchInferencer, 'find_people')
    embedded = count_calls(monkeypatch, inferencer.PersonSearchInferencer, 'embed_boxes')
    search = ('search_gallery', index, '--device', 'cpu', '--query', pictures / '2.png')
    code, table, error = tool(*search, '--person', 1)
    assert code == 0, error
    assert '2.png' in table
    assert [len(calls) for calls in (opened, hashed, weighed, found)] == [1, 1, 1, 1]
    asked = [picture.shape for _, picture, *_ in embedded]
    assert (96, 128, 3) not in asked, 'she is known already'
    assert len(asked) <= 1, 'a picture made up to measure an embedding'
    embedded.clear()
    assert tool(*search, '--box', 10, 10, 50, 90)[0] == 0
    assert [picture.shape for _, picture, *_ in embedded].count((96, 128, 3)) == 1
    assert len(found) == 1, 'nobody is looked for where a box is given'


def test_who_was_seen_too_long_ago_is_forgotten(tool, tmp_path, pictures):
    for name, start in (('dated', ('--start-time', '2024-05-06')), ('undated', ())):
        assert tool.build(pictures, '--out', tmp_path / name, *start)[0] == 0
    search = ('--query', pictures / '2.png', '--person', 1, '--device', 'cpu', '--keep-days')
    code, table, error = tool('search_gallery', tmp_path / 'dated', *search, 100_000)
    assert code == 0, error
    assert ': 0 people last seen before' in table
    assert '2.png' in table
    code, table, error = tool('search_gallery', tmp_path / 'dated', *search, 3)
    assert code == 0, error
    assert ', 0 are left' in table
    assert '2.png' not in table
    code, _, error = tool('search_gallery', tmp_path / 'undated', *search, 3)
    assert code == 2
    assert 'no person in it has a time, not dates' in error


def clip(box: tuple[float, ...]) -> np.ndarray:
    return np.clip(box, 0, [128, 96, 128, 96])


def test_evaluation_of_an_index(tool, tmp_path, pictures):
    """A person in two equal pictures is found in the other one; who is in one alone is no query."""
    shutil.copy(pictures / '0.png', pictures / '9.png')
    assert tool.build(pictures, '--out', tmp_path / 'index')[0] == 0
    with GalleryIndex.open(tmp_path / 'index') as index:
        records = index.records()
    images, annotations = [], []
    for number, person in ((0, 5), (1, 6), (9, 5)):
        path = str(pictures / f'{number}.png')
        box = next(
            record.box
            for record in records
            if record.source == path and np.array_equal(record.box, clip(record.box))
        )
        images.append(dict(id=number, file_name=f'{number}.png', width=128, height=96))
        xywh = [*box[:2], box[2] - box[0], box[3] - box[1]]
        annotations.append(dict(id=number, image_id=number, bbox=xywh, person_id=person))
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    truth = ('--coco', tmp_path / 'a.json', pictures, '--device', 'cpu')
    code, output, error = tool('analysis_tools/eval_gallery', tmp_path / 'index', *truth)
    assert code == 0, error
    assert 'first for 2 of 2 queries (100.0 %)' in output
    assert 'first among those who are annotated for 2 of 2 queries (100.0 %)' in output
    code, output, error = tool(
        'analysis_tools/eval_gallery', tmp_path / 'index', *truth, '--annotated-boxes'
    )
    assert code == 0, error
    assert 'first for 2 of 2 queries (100.0 %)' in output
    code, _, error = tool('analysis_tools/eval_gallery', tmp_path / 'index', *truth, '--min-gap', 3)
    assert code == 2
    assert 'nobody in the annotations is in the index at another time' in error


@pytest.mark.skipif(find_spec('onnxruntime') is None, reason='ONNX Runtime is not installed')
def test_exported_graphs_build_the_same_index(tool, tmp_path, pictures, checkpoints, exported):  # noqa: F811
    folder = exported('crop')[2]
    assert tool.build(pictures, '--out', tmp_path / 'torch')[0] == 0
    onnx = (checkpoints['crop'], folder, pictures, '--out', tmp_path / 'onnx', '--runtime', 'onnx')
    code, _, error = tool('build_gallery', *onnx, '--det-thresh', 0.25)
    assert code == 0, error
    found = []
    for name in ('torch', 'onnx'):
        with GalleryIndex.open(tmp_path / name) as index:
            records = index.records()
            vectors = index.embeddings(range(len(index)))
        order = sorted(range(len(records)), key=lambda n: (records[n].source, records[n].box))
        found.append([(records[n], vectors[n]) for n in order])
    assert len(found[0]) == len(found[1]) > 4
    for (one, vector), (two, other) in zip(*found):
        assert one.source == two.source
        assert np.allclose(one.box, two.box, atol=0.05)
        assert np.allclose(vector, other, atol=1e-3)
    query = ('--query', pictures / '2.png', '--person', 1)
    code, table, error = tool('search_gallery', tmp_path / 'onnx', *query)
    assert code == 0, error
    assert '2.png' in table.splitlines()[3]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['none', '--out', 'index'], 'the source none does not exist'),
        (['.', '--out', 'index'], 'no picture and no video'),
        (['a.png', '--out', 'index', '--start-time', 'noon'], 'a time must be'),
        (['a.png', '--out', 'index', '--every', '0'], 'every must be at least 1'),
        (['a.png', '--out', 'a.png'], 'a.png'),
        (['a.png', '--out', '.'], 'must be new or empty'),
    ],
)
def test_wrong_build(tool, tmp_path, monkeypatch, arguments, words):
    if arguments[0] == 'a.png':
        write(tmp_path / 'a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    loaded = count_calls(monkeypatch, inferencer.PersonSearchInferencer, '__init__')
    code, _, error = tool.build(*arguments)
    assert code == 2
    assert bool(loaded) == (words in ('a.png', 'must be new or empty')), 'sources come first'
    assert words in error.strip().splitlines()[-1]
    assert not (tmp_path / 'index').exists()


@pytest.mark.parametrize('option', ['--runtime', '--backend'])
def test_former_name_of_the_runtime(tool, option):
    code, _, error = tool('build_gallery', 'a.py', 'a.pth', '.', '--out', 'i', option, 'tpu')
    assert code == 2
    assert "invalid choice: 'tpu'" in error


def test_no_index(tool, tmp_path):
    code, _, error = tool('search_gallery', tmp_path, '--query', 'a.png')
    assert code == 2
    assert 'there is no index in' in error
