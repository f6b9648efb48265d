"""Exported models: the same people and embeddings as PyTorch's, without PyTorch."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.export import export_searcher
from mmclsa.inference.export import exporting as export_module
from mmclsa.inference.onnx import OnnxSearcher
from tests.helpers import REPO, SHARED, needs_shared

CONFIGS = ('clsa_mbv2_mot2pets', 'clsa_r50_cuhk', 'clsa_r50_prw', 'clsa_tiny_synthetic')
BOXES = [[10.0, 12.0, 40.0, 60.0], [0.0, 0.0, 128.0, 96.0], [100.5, 3.25, 150.0, 99.0]]
#: Runs in an interpreter where the framework cannot be imported.
ALONE = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'pyarrow', 'faiss'):
            raise ImportError(name + ' is behind the wall')
sys.meta_path.insert(0, Wall())
import json
import numpy as np
from mmclsa.inference.onnx import OnnxSearcher
searcher = OnnxSearcher(sys.argv[1], threads=1)
(people,) = searcher([np.load(sys.argv[2])])
print(json.dumps([people.boxes.tolist(), people.scores.tolist(), people.embeddings.tolist()]))
"""


def picture(seed: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def torch_people(inferencer: PersonSearchInferencer, array: np.ndarray):
    return inferencer.find_people([inferencer.prepare(array)])[0]


@pytest.mark.parametrize('name', CONFIGS)
class TestEveryConfig:
    def test_embeddings_of_one_and_several(self, exported, name):
        inferencer, searcher, _ = exported(name)
        for count in (1, 3):
            found = searcher.embed_boxes(picture(), BOXES[:count])
            expected = inferencer.embed_boxes(picture(), BOXES[:count])
            assert found.shape == expected.shape == (count, inferencer.fingerprint.dims)
            assert np.abs(found - expected).max() < 1e-4
            assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)

    def test_other_sizes(self, exported, name):
        inferencer, searcher, _ = exported(name)
        for size in ((200, 90), (61, 333)):
            box = [[5.0, 5.0, 60.0, 60.0]]
            found = searcher.embed_boxes(picture(1, size), box)
            assert np.abs(found - inferencer.embed_boxes(picture(1, size), box)).max() < 1e-4

    def test_identity_is_that_of_the_model(self, exported, name):
        inferencer, searcher, _ = exported(name)
        assert searcher.fingerprint == inferencer.fingerprint


@pytest.mark.parametrize('name', ['scene', 'crop'])
class TestWholeSearcher:
    def test_finds_the_same_people(self, exported, name):
        inferencer, _, folder = exported(name)
        # Of two sizes, so that they cannot go through the network together.
        pictures = [picture(1), picture(3, (120, 90))]
        expected = [torch_people(inferencer, array) for array in pictures]
        # A detector that was never trained is about as sure of all its boxes: cut in a gap.
        scores = np.sort(np.concatenate([people.scores for people in expected]))[::-1][50:150]
        gap = np.argmax(scores[:-1] - scores[1:])
        searcher = OnnxSearcher(folder, float(scores[gap : gap + 2].mean()), threads=1)
        for people, found in zip(expected, searcher(pictures)):
            certain = people.scores >= searcher.det_thresh
            assert len(found.scores) == certain.sum() > 5
            assert (np.diff(found.scores) <= 0).all()
            # Equal scores may come in another order.
            apart = np.abs(found.boxes[:, None] - people.boxes[certain][None]).sum(2)
            order = apart.argmin(1)
            assert sorted(order) == list(range(len(order)))
            assert np.allclose(found.boxes, people.boxes[certain][order], atol=1e-2)
            assert np.allclose(found.scores, people.scores[certain][order], atol=1e-4)
            assert np.abs(found.embeddings - people.embeddings[certain][order]).max() < 1e-4
            assert found.embeddings.dtype == found.boxes.dtype == np.float32

    def test_nobody(self, exported, name):
        inferencer, _, folder = exported(name)
        (found,) = OnnxSearcher(folder, det_thresh=1.0)([picture()])
        assert found.boxes.shape == (0, 4)
        assert found.embeddings.shape == (0, inferencer.fingerprint.dims)

    def test_without_the_framework(self, exported, name, tmp_path):
        _, searcher, folder = exported(name)
        np.save(tmp_path / 'a.npy', picture())
        result = subprocess.run(
            [sys.executable, '-c', ALONE, str(folder), str(tmp_path / 'a.npy')],
            cwd=REPO,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        (people,) = searcher([picture()])
        boxes, scores, embeddings = map(np.array, json.loads(result.stdout))
        assert np.allclose(boxes, people.boxes, atol=1e-3)
        assert np.allclose(scores, people.scores, atol=1e-5)
        assert np.allclose(embeddings, people.embeddings, atol=1e-4)


@pytest.mark.parametrize('name', ['scene', 'crop'])
def test_takes_what_the_inferencer_takes(exported, name, tmp_path):
    """A path turned upright by EXIF, a picture of Pillow, grey and BGRA arrays."""
    inferencer, searcher, _ = exported(name)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / 'a ü.png'
    Image.fromarray(picture()[..., ::-1]).save(path, exif=exif)
    grey = picture()[..., 0]
    alpha = np.dstack([picture(), grey])
    taken = [path, str(path), Image.open(path), grey, grey[..., None], alpha, picture()[:, ::-1]]
    for one in taken:
        expected = inferencer.embed_boxes(one, BOXES[:1])
        assert np.abs(searcher.embed_boxes(one, BOXES[:1]) - expected).max() < 1e-4
        (people,) = searcher(one)
        (theirs,) = inferencer(one)['predictions']
        assert len(people.scores) == len(theirs['scores']) > 0
        assert np.allclose(people.scores, theirs['scores'], atol=1e-4)
    assert [len(found.boxes) for found in searcher([path, grey])] == [
        len(searcher(one)[0].boxes) for one in (path, grey)
    ]
    with pytest.raises(DataError, match=r'none\.png'):
        searcher('none.png')


def test_crops_more_than_go_through_at_once(exported):
    _, searcher, _ = exported('crop')
    crops = np.random.default_rng(0).uniform(0, 255, (130, 3, 64, 32)).astype(np.float32)
    found = searcher.embed_crops(crops)
    assert len(found) == 130
    assert np.allclose(found[128:], searcher.embed_crops(crops[128:]), atol=1e-5)
    assert searcher.embed_crops(crops[:0]).shape == (0, searcher.fingerprint.dims)


class TestErrors:
    def test_detector_that_was_not_exported(self, exported):
        _, searcher, _ = exported('clsa_r50_cuhk')
        assert not searcher.detects
        with pytest.raises(ConfigError, match='its detector was not exported'):
            searcher([picture()])

    def test_crops_of_a_model_on_scenes(self, exported):
        _, searcher, _ = exported('scene')
        with pytest.raises(ConfigError, match='use embed_boxes'):
            searcher.embed_crops(np.zeros((1, 3, 64, 32), np.float32))

    @pytest.mark.parametrize(
        'box', [[[200.0, 0, 220, 9]], [[5.0, 5, 5, 9]], [[9.0, 9, 3, 3]], [[np.nan] * 4]]
    )
    def test_box_outside(self, exported, box):
        for embedder in exported('crop')[:2]:  # both say the same
            with pytest.raises(UserError, match=r'128 x 96|with x1 < x2 and y1 < y2'):
                embedder.embed_boxes(picture(), box)

    @pytest.mark.parametrize(
        'array',
        [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), 3],
    )
    def test_no_picture(self, exported, array):
        with pytest.raises(UserError, match='a picture must'):
            exported('crop')[1]([array])

    def test_arguments(self, exported):
        folder = exported('crop')[2]
        with pytest.raises(ConfigError, match=r'0\.\.1'):
            OnnxSearcher(folder, det_thresh=2)
        with pytest.raises(ConfigError, match='CPUExecutionProvider'):
            OnnxSearcher(folder, providers=['NoSuchProvider'])

    def test_graph_that_is_none(self, exported, tmp_path):
        folder = shutil.copytree(exported('crop')[2], tmp_path / 'copy')
        (folder / 'cut.onnx').write_bytes(b'nothing')
        with pytest.raises(DataError, match='export the model again'):
            OnnxSearcher(folder)
        data = json.loads((folder / 'searcher.json').read_text())
        data['graphs']['cut']['sha256'] = export_module.file_digest(folder / 'cut.onnx')
        (folder / 'searcher.json').write_text(json.dumps(data))
        with pytest.raises(DataError, match='ONNX Runtime cannot load'):
            OnnxSearcher(folder)

    def test_graphs_that_do_something_else_are_refused(self, exported, tmp_path, monkeypatch):
        """The check at the export must be able to fail; nothing usable stays behind."""
        inferencer = exported('crop')[0]
        shifted = inferencer.embed_boxes
        monkeypatch.setattr(inferencer, 'embed_boxes', lambda *args: shifted(*args) + 2e-4)
        with pytest.raises(UserError, match=r'differ from those of PyTorch by up to 0\.0002'):
            export_searcher(inferencer, tmp_path)
        with pytest.raises(DataError, match='is no exported model'):
            OnnxSearcher(tmp_path)

    def test_package_missing(self, exported, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, 'onnxruntime', None)
        with pytest.raises(UserError, match=r'pip install "mmclsa\[deploy\]"'):
            OnnxSearcher(exported('crop')[2])
        with pytest.raises(UserError, match=r'pip install "mmclsa\[deploy\]"'):
            export_searcher(exported('crop')[0], tmp_path)


class TestTool:
    def run(self, monkeypatch, *args: object) -> int:
        monkeypatch.chdir(REPO)
        script = 'tools/deployment/export_onnx.py'
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / script), run_name='__main__')
        return ended.value.code

    def test_exports(self, checkpoints, tmp_path, monkeypatch, capsys):
        args = (checkpoints['crop'], checkpoints['crop_weights'], '--out', tmp_path / 'a')
        assert self.run(monkeypatch, *args) == 0
        assert 'Largest difference' in capsys.readouterr().out
        assert OnnxSearcher(tmp_path / 'a').detects

    def test_folder_is_a_file(self, checkpoints, tmp_path, monkeypatch, capsys):
        (tmp_path / 'a').write_text('')
        args = (checkpoints['crop'], checkpoints['crop_weights'], '--out', tmp_path / 'a')
        assert self.run(monkeypatch, *args) == 2
        assert 'error: cannot write' in capsys.readouterr().err


@needs_shared
@pytest.mark.filterwarnings('ignore:No checkpoint is loaded')
def test_same_ranking_on_pets(tmp_path, monkeypatch):
    """With the ImageNet weights of the config, everybody in every eighth frame as a query."""
    monkeypatch.setenv('MMCLSA_WEIGHTS', f'{SHARED / "weights"}/')
    inferencer = PersonSearchInferencer(
        str(REPO / 'configs' / 'clsa' / 'clsa_mbv2_mot2pets.py'), device='cpu'
    )
    export_searcher(inferencer, tmp_path)
    searcher = OnnxSearcher(tmp_path, threads=1)
    root = SHARED / 'data' / 'pets_mini'
    data = json.loads((root / 'annotations.json').read_text())
    ours, theirs = [], []
    for image in data['images'][::8]:
        array = cv2.imread(str(root / 'img' / image['file_name']))
        boxes = np.array([a['bbox'] for a in data['annotations'] if a['image_id'] == image['id']])
        boxes[:, 2:] += boxes[:, :2]
        inside = np.clip(boxes, 0, [768, 576] * 2)
        ours.append(searcher.embed_boxes(array, inside))
        theirs.append(inferencer.embed_boxes(array, inside))
        (found,) = searcher([array])
        expected = torch_people(inferencer, array)
        assert np.allclose(found.boxes, expected.boxes, atol=1e-2)
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    assert len(ours) > 40
    assert np.abs(ours - theirs).max() < 1e-4
    ranking = np.argsort(-(ours @ ours.T), axis=1, kind='stable')
    similar = np.take_along_axis(theirs @ theirs.T, ranking, axis=1)
    # The head is drawn by chance: who is alike to the last digits may swap places.
    assert (np.diff(similar, axis=1) < 1e-5).all()
