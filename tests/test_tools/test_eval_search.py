"""eval_search.py as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.testing import make_fake_coco
from tests.helpers import REPO, assert_user_error, run_python

TOOL = 'tools/analysis_tools/eval_search.py'
GOLDEN = REPO / 'tests' / 'data' / 'golden_cuhk'
CUHK = ('--dataset', 'cuhk_sysu', '--data-root', GOLDEN / 'root')


def evaluate(*args):
    return run_python(TOOL, *args)


def test_evaluates_one_protocol_from_the_shell(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    command = (GOLDEN / 'predictions.npz', *CUHK, '--protocol', 'gallery_50', '--out', out)
    done = evaluate(*command)
    assert done.returncode == 0, done.stderr
    assert 'gallery_50' in done.stdout
    expected = json.loads((GOLDEN / 'expected.json').read_text())['gallery_50']['mAP']
    assert json.loads(out.read_text())['gallery_50']['mAP'] == pytest.approx(expected, abs=1e-6)
    assert [p.name for p in out.parent.iterdir()] == ['out.json']


def test_evaluates_a_coco_data_set(tmp_path, run_tool_here):
    root = make_fake_coco(tmp_path, images=False)
    scenes = read_coco(root / 'annotations.json')
    task = coco_protocol(root / 'protocol.json', scenes)
    people = np.concatenate([s.person_ids for s in scenes])
    embeddings = np.eye(people.max() + 2)[people]
    np.savez(
        tmp_path / 'p.npz',
        image=np.repeat([s.image for s in scenes], [len(s.boxes) for s in scenes]),
        bbox=np.concatenate([s.boxes for s in scenes]),
        score=np.ones(len(people)),
        embedding=embeddings,
        query_image=np.array([task.images[i] for i in task.query_images]),
        query_bbox=task.query_boxes,
        query_embedding=np.eye(people.max() + 2)[task.person_ids],
    )
    out = tmp_path / 'out.json'
    run_tool_here(
        TOOL, tmp_path / 'p.npz', '--dataset', 'coco', '--data-root', root, '--out', out,
    )  # fmt: skip
    report = json.loads(out.read_text())
    # Perfect detections with perfect embeddings; the figure would show any mistake.
    assert report['fake']['mAP'] == report['fake']['top1'] == 1.0
    assert report['detection']['recall'] == 1.0


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        ((GOLDEN / 'none.npz', *CUHK), ('none.npz', 'missing')),
        ((GOLDEN / 'expected.json', *CUHK), ('expected.json', 'no readable .npz')),
        (
            (GOLDEN / 'predictions.npz', '--dataset', 'prw', '--data-root', GOLDEN / 'root'),
            ('ID_train.mat', 'missing'),
        ),
        (
            (GOLDEN / 'predictions.npz', '--dataset', 'coco', '--data-root', GOLDEN / 'none'),
            ('--data-root', 'none'),
        ),
        (
            (GOLDEN / 'predictions.npz', *CUHK, '--protocol', 'gallery_9'),
            ('TestG9.mat', 'missing'),
        ),
        (
            (GOLDEN / 'predictions.npz', *CUHK, '--protocol', 'regular'),
            ("'regular'", 'gallery_50'),
        ),
        (
            (GOLDEN / 'predictions.npz', *CUHK, '--out', GOLDEN / 'expected.json' / 'x.json'),
            ('expected.json',),
        ),
    ],
    ids=['missing', 'no-npz', 'other-data', 'no-root', 'no-file', 'no-protocol', 'no-folder'],
)
def test_mistakes_are_one_sentence(args, words):
    assert_user_error(evaluate(*args), *map(str, words))
