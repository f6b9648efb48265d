"""show_ranks.py, report_queries.py and plot_curves.py as a user meets them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.visualization.canvas import GREEN, RED
from tests.fakes import make_fake_coco
from tests.fakes.predictions import save_perfect_predictions
from tests.helpers import assert_user_error, run_python
from tests.ranks import run_tool_forked

RANKS = 'tools/analysis_tools/show_ranks.py'
CURVES = 'tools/analysis_tools/plot_curves.py'
REPORT = 'tools/analysis_tools/report_queries.py'


@pytest.fixture
def searched(tmp_path):
    """A fake data set below a path with non-ASCII letters, its config and perfect predictions."""
    root = make_fake_coco(tmp_path / 'Straße 街')
    scenes = read_coco(root / 'annotations.json')
    task = coco_protocol(root / 'protocol.json', scenes)
    save_perfect_predictions(tmp_path / 'p.npz', scenes, task)
    dataset = dict(
        type='CocoPersonSearchDataset',
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
        protocol_files='protocol.json',
        test_mode=True,
    )
    (tmp_path / 'config.py').write_text(
        f'test_dataloader = dict(dataset={dataset!r})\n', encoding='utf-8'
    )
    return tmp_path


def count(path, colour):
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return int((picture[..., ::-1] == colour).all(-1).sum())


def test_ranked_results_from_the_shell(searched):
    out = searched / 'bilder'
    done = run_python(
        RANKS, searched / 'config.py', searched / 'p.npz', '--out', out, '--num', 2, '--top', 1
    )
    assert done.returncode == 0, done.stderr
    assert f'2 pictures in {out}' in done.stdout
    files = sorted(out.iterdir())
    assert [f.suffix for f in files] == ['.png', '.png']
    for file in files:
        assert count(file, GREEN) > 1000, 'perfect predictions: the first hit is right'
        assert count(file, RED) == 0


def test_ranked_results_with_a_picture_missing(searched, run_tool_here):
    for picture in (searched / 'Straße 街' / 'img').iterdir():
        if picture.name > '000004.jpg':
            picture.unlink()
    settings = ['--cfg-options', 'test_dataloader.dataset.check_images=False']
    out = searched / 'out'
    told = run_tool_here(
        RANKS, searched / 'config.py', searched / 'p.npz', '--out', out, '--which', 'first',
        '--protocol', 'fake', *settings,
    )  # fmt: skip
    assert '4 pictures' in told
    assert all(count(file, GREEN) > 1000 for file in out.iterdir())


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (['--protocol', 'none'], ["--protocol must be one of fake, but is 'none'"]),
        (['--top', '0'], ['top must be at least 1']),
        (['--num', '0'], ['num must be at least 1']),
    ],
)
def test_wrong_options_of_show_ranks(searched, change, words, run_tool_to_its_error):
    command = [searched / 'config.py', searched / 'p.npz', '--out', searched / 'out', *change]
    for word in words:
        assert word in run_tool_to_its_error(RANKS, *command)
    assert not list((searched / 'out').iterdir())


def test_page_of_queries(searched, run_tool_here, run_tool_to_its_error):
    page = searched / 'bericht' / 'queries.html'
    command = [searched / 'config.py', searched / 'p.npz', '--out', page]
    assert f'4 queries in {page}' in run_tool_here(REPORT, *command, '--title', 'Fälle')
    text = page.read_text(encoding='utf-8')
    assert '<h1>Fälle</h1>' in text
    assert text.count('<section>') == 4
    assert 'class="right"' in text
    assert [p.name for p in page.parent.iterdir()] == ['queries.html']
    (searched / 'file').write_text('')
    command[-1] = searched / 'file' / 'a.html'
    assert 'cannot write into the folder' in run_tool_to_its_error(REPORT, *command)


def test_show_ranks_without_test_data(searched, run_tool_to_its_error):
    (searched / 'other.py').write_text('a = 1\n')
    command = [searched / 'other.py', searched / 'p.npz', '--out', searched / 'out']
    assert 'has no test_dataloader' in run_tool_to_its_error(RANKS, *command)


def test_curves_from_the_shell(tmp_path):
    log = tmp_path / 'läufe 街' / '20260101' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(json.dumps({'loss': 1 / s, 'step': s}) + '\n' for s in range(1, 9)))
    out = tmp_path / 'kurven 街.png'
    done = run_tool_forked(CURVES, tmp_path / 'läufe 街', '--out', out)
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    assert count(out, (31, 119, 180)) > 100
    failed = run_tool_forked(CURVES, tmp_path / 'none', '--out', tmp_path / 'b.png')
    assert_user_error(failed, 'none is neither a scalars.json nor a work dir')
    assert not (tmp_path / 'b.png').exists()
