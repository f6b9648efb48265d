"""eval_search.py as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.readers.cuhk_sysu import read_cuhk_sysu
from mmclsa.errors import UserError
from mmclsa.evaluation.functional import SearchFlags
from tests.fakes import make_fake_coco
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


def figures_of(run_tool_here, tmp_path, *args):
    out = tmp_path / 'flags.json'
    printed = run_tool_here(TOOL, GOLDEN / 'predictions.npz', *CUHK, '--out', out, *args)
    return printed, json.loads(out.read_text())


def test_flags_are_printed_and_stored(tmp_path, run_tool_here):
    printed, report = figures_of(
        run_tool_here, tmp_path,
        '--preset', 'alignps', '--det-thresh', '0.5', '0.7', '--duplicates', 'dedup',
        '--rerank', '--rerank-k1', '5', '--by-height', '--cbgm',
    )  # fmt: skip
    assert set(report) == {'gallery_50_cbgm', 'gallery_50_cbgm@0.7', 'detection'}
    for name, thresh in (('gallery_50_cbgm', 0.5), ('gallery_50_cbgm@0.7', 0.7)):
        flags = report[name]['flags']
        chosen = dict(
            det_thresh=thresh, duplicates='dedup', query_feature='matched_det',
            similarity='cosine', rerank=True, rerank_k1=5, cbgm=True,
        )  # fmt: skip
        assert chosen.items() <= flags.items()
        assert ', '.join(f'{k}={v}' for k, v in flags.items()) in printed
        bins = report[name]['by_height']
        assert [b['low'] for b in bins] == [0, 64, 128, 256]
        assert bins[-1]['high'] is None
        assert len(report[name]['cmc']) == 50
        assert report[name]['cmc'][0] == report[name]['top1']
    assert 'by height of the match' in printed


@pytest.mark.parametrize('name', ['seqnet', 'nae', 'alignps', 'pstr', 'gfn'])
def test_presets_run_on_the_golden_case(tmp_path, run_tool_here, name):
    _, report = figures_of(run_tool_here, tmp_path, '--preset', name)
    expected = json.loads((GOLDEN / 'expected.json').read_text())['gallery_50']['mAP']
    # Its embeddings have length 1 and no gallery repeats an image, so that these agree.
    if name in ('seqnet', 'nae', 'gfn'):
        assert report['gallery_50']['mAP'] == pytest.approx(expected, abs=1e-6)
    else:
        assert report['gallery_50']['flags']['query_feature'] == 'matched_det'
    assert report['detection']['score_thresh'] == (0.5 if name == 'gfn' else 0.01)


def test_upper_bound_searches_the_ground_truth(tmp_path, run_tool_here):
    with np.load(GOLDEN / 'predictions.npz') as file:
        arrays = dict(file)
    # Half the detections, called ground truth.
    kept = np.arange(0, len(arrays['image']), 2)
    source = (('gt_image', 'image'), ('gt_bbox', 'bbox'), ('gt_embedding', 'embedding'))
    arrays |= {name: arrays[of][kept] for name, of in source}
    np.savez(tmp_path / 'p.npz', **arrays)
    run_tool_here(TOOL, tmp_path / 'p.npz', *CUHK, '--upper-bound', '--out', tmp_path / 'a.json')
    report = json.loads((tmp_path / 'a.json').read_text())
    half = {
        name: array[kept] for name, array in arrays.items() if name in dict(map(reversed, source))
    }
    half['score'] = np.ones(len(kept))
    np.savez(tmp_path / 'half.npz', **{**arrays, **half})
    run_tool_here(TOOL, tmp_path / 'half.npz', *CUHK, '--out', tmp_path / 'b.json')
    alone = json.loads((tmp_path / 'b.json').read_text())
    bound, plain = report['gallery_50_gt_boxes'], alone['gallery_50']
    assert bound['per_query_ap'] == plain['per_query_ap'] != report['gallery_50']['per_query_ap']


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (('--upper-bound',), 'the upper bound needs the arrays gt_image'),
        (('--device', 'cuda:99'), "device 'cuda:99' cannot be used"),
        (('--camera', 'cross'), 'camera of every image'),
        (('--cbgm', '--k1', '0'), 'k1 must be at least 1'),
        (('--rerank-weight', '2'), 'rerank_weight must lie in'),
        (('--det-thresh', '0.5', '0.5'), 'det_thresh lists 0.5 twice'),
    ],
)
def test_mistakes_in_flags(run_tool_here, args, words):
    with pytest.raises(UserError, match=words):
        run_tool_here(TOOL, GOLDEN / 'predictions.npz', *CUHK, *args)


def test_a_skipped_image_is_named(tmp_path, run_tool_here):
    with np.load(GOLDEN / 'predictions.npz') as file:
        arrays = dict(file)
    every = sorted({str(name) for name in read_pool()})
    np.savez(tmp_path / 'p.npz', **arrays, predicted_image=np.array(every))
    assert 'gallery_50' in run_tool_here(TOOL, tmp_path / 'p.npz', *CUHK)
    np.savez(tmp_path / 'p.npz', **arrays, predicted_image=np.array(every[1:]))
    with pytest.raises(UserError, match=f'query .* searches image {every[0]}, which pred'):
        run_tool_here(TOOL, tmp_path / 'p.npz', *CUHK)


def read_pool():
    return [scene.image for scene in read_cuhk_sysu(GOLDEN / 'root', 'test')]


def test_every_flag_is_an_option():
    """A flag that the tool does not know could not be compared from a file."""
    source = (REPO / TOOL).read_text()
    for name in SearchFlags.__dataclass_fields__:
        assert f"'--{name.replace('_', '-')}'" in source
