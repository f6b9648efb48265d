"""tools/analysis_tools/eval_tracks.py on detections that are kept already."""

from __future__ import annotations

import json
import runpy
import sys

import numpy as np
import pytest

from tests.fakes.footage import write
from tests.helpers import REPO
from tests.test_gallery.people import unit

TOOL = 'tools/analysis_tools/eval_tracks.py'
LOOKS = unit(np.random.default_rng(0).normal(size=(3, 16)))


def walkers(frames: int = 30) -> list[tuple[int, int, list[float]]]:
    """Frame, person, box: one stands, two walk at a height a second, from frame 10 on."""
    rows = []
    for frame in range(frames):
        xs = {0: 400.0, 1: 10.0 + 4 * frame, **({2: 300.0 - 4 * frame} if frame >= 10 else {})}
        rows += [(frame, who, [x, 20.0, x + 50, 120.0]) for who, x in xs.items()]
    return rows


@pytest.fixture
def footage(tmp_path):
    """A sequence with its annotation, and what a model would have found, with noise."""
    folder = tmp_path / 'street'
    for number in range(1, 31):
        write(folder / 'img1' / f'{number:06d}.png', np.zeros((150, 500, 3), np.uint8))
    rows = walkers()
    lines = [f'{f + 1},{who + 1},{x},{y},50,100,1,1,1' for f, who, (x, y, _, _) in rows]
    (folder / 'gt').mkdir()
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(lines) + '\n')
    rng = np.random.default_rng(1)
    frames, who, boxes = (np.array(column) for column in zip(*rows))
    looks = unit(LOOKS[who] + 0.1 * rng.normal(size=(len(who), 16)))
    (tmp_path / 'cache').mkdir()
    np.savez(
        tmp_path / 'cache' / 'street.npz',
        looked_at=np.arange(30),
        fps=np.array(25.0),
        frames=frames,
        boxes=(boxes + rng.normal(size=boxes.shape)).astype(np.float32),
        scores=np.full(len(who), 0.8, np.float32),
        embeddings=looks,
        quality=np.full(len(who), 0.6),
        true_frames=frames,
        true_boxes=boxes,
        true_people=who,
        true_tracks=who,
        ignore=np.zeros(len(who), bool),
    )
    return tmp_path


def run(monkeypatch, capsys, folder, *args) -> tuple[int, dict, str]:
    argv = ['none.py', 'none', '--mot', folder / 'street', '--cache', folder / 'cache']
    monkeypatch.setattr(
        sys, 'argv', [TOOL, *map(str, [*argv, '--json', folder / 'out.json', *args])]
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPO / TOOL), run_name='__main__')
    output = capsys.readouterr()
    done = folder / 'out.json'
    return ended.value.code, json.loads(done.read_text()) if done.exists() else {}, output.err


def test_figures(footage, monkeypatch, capsys):
    trackers = ('--trackers', 'alone', 'overlap', 'bytetrack', 'mmclsa')
    code, figures, error = run(monkeypatch, capsys, footage, '--every', 1, 10, *trackers)
    assert code == 0, error
    full, rare = figures['street, every 1'], figures['street, every 10']
    # 3 tracks of 30, 30 and 20: alone, one detection of each is right.
    assert full['idf1']['alone'] == pytest.approx(3 / 80)
    assert full['idf1']['overlap'] == full['idf1']['mmclsa'] == 1
    assert full['idf1']['bytetrack'] > 0.9  # it confirms a track after some frames
    # Boxes of a walker hardly overlap after 40 pixels of 50.
    assert rare['idf1']['mmclsa'] == 1
    assert rare['idf1']['overlap'] <= 1
    assert rare['idf1']['bytetrack'] < 0.9
    for name in ('detections', 'equal', 'score', 'quality', 'quality, a third'):
        assert full['right_first'][name] == [80, 80]


def test_own_track_is_left_out(footage, monkeypatch, capsys):
    """Nobody comes back, so there is no query."""
    code, figures, _ = run(monkeypatch, capsys, footage, '--other-tracks', '--trackers', 'mmclsa')
    assert code == 0
    assert figures['street, every 1']['right_first']['quality'] == [0, 0]


def test_no_footage(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [TOOL, 'none.py', 'none'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPO / TOOL), run_name='__main__')
    assert ended.value.code == 2
    assert 'give --mot or --coco' in capsys.readouterr().err
