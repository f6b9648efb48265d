"""The golden cases: what SeqNet's own code makes of made-up detections."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.datasets.readers.prw import prw_protocols
from mmclsa.evaluation.functional import SearchFlags, evaluate_search
from mmclsa.structures import Predictions
from tests.helpers import REPO, SHARED, needs_shared

GOLDEN = SHARED / 'golden'
SMALL = REPO / 'tests' / 'data' / 'golden_cuhk'
SHARED_CASES = [
    pytest.param(GOLDEN / name, dataset, id=name, marks=needs_shared)
    for name, dataset in (
        ('cuhk_small', 'cuhk_sysu'),
        ('cuhk_sizes', 'cuhk_sysu'),
        ('prw_small', 'prw'),
        ('prw_hard', 'prw'),
    )
]
CASES = [pytest.param(SMALL, 'cuhk_sysu', id='copied'), *SHARED_CASES]


@pytest.mark.parametrize(('folder', 'dataset'), CASES)
@pytest.mark.parametrize('chunk', [1, 2**28], ids=['chunked', 'whole'])
def test_search_and_cbgm_per_query(folder, dataset, chunk):
    expected = json.loads((folder / 'expected.json').read_text())
    predictions = Predictions.load(folder / 'predictions.npz')
    read = cuhk_sysu_protocols if dataset == 'cuhk_sysu' else prw_protocols
    names = []
    for protocol in read(folder / 'root'):
        for cbgm in (False, True):
            result = evaluate_search(protocol, predictions, SearchFlags(cbgm=cbgm), chunk)
            names.append(protocol.name + ('_cbgm' if cbgm else ''))
            golden = expected[names[-1]]
            np.testing.assert_allclose(
                result.average_precisions, golden['per_query_ap'], rtol=0, atol=1e-6
            )
            for name, value in result.figures().items():
                assert value == pytest.approx(golden[name], abs=1e-6), (names[-1], name)
    assert set(names) == set(expected) - {'detection', 'counts'}


@pytest.mark.parametrize(('folder', 'dataset'), CASES)
@pytest.mark.parametrize('cbgm', [False, True])
def test_tool_writes_the_expected_file(folder, dataset, cbgm, tmp_path, run_tool_here):
    out = tmp_path / 'out.json'
    printed = run_tool_here(
        'tools/analysis_tools/eval_search.py', folder / 'predictions.npz',
        '--dataset', dataset, '--data-root', folder / 'root', '--out', out,
        *(['--cbgm'] if cbgm else []),
    )  # fmt: skip
    written = json.loads(out.read_text())
    expected = json.loads((folder / 'expected.json').read_text())
    compared = 0
    for name, golden in expected.items():
        if name == 'counts' or (name != 'detection' and name.endswith('_cbgm') != cbgm):
            continue
        for figure, value in golden.items():
            np.testing.assert_allclose(written[name][figure], value, rtol=0, atol=1e-6)
            compared += 1
        if 'mAP' in golden:
            assert f'{100 * golden["mAP"]:.2f}' in printed
    assert compared >= 7
    assert 'det_thresh=0.5' in printed


@pytest.mark.parametrize(('folder', 'dataset'), CASES[:1] + SHARED_CASES[:2])
def test_counts_of_the_readers(folder, dataset):
    counts = json.loads((folder / 'expected.json').read_text())['counts']
    test, train = (read_cuhk_sysu(folder / 'root', split) for split in ('test', 'train'))
    got = dict(
        gallery_images=len(test),
        gallery_boxes=sum(len(s.boxes) for s in test),
        queries=len(cuhk_sysu_protocols(folder / 'root')[0]),
        labelled=sum(int((s.person_ids >= 0).sum()) for s in test),
        train_images=len(train),
        train_boxes=sum(len(s.boxes) for s in train),
        train_labelled=sum(int((s.person_ids >= 0).sum()) for s in train),
        train_ids=len(np.unique(np.concatenate([s.person_ids for s in train]))) - 1,
    )
    assert got == {name: counts[name] for name in got}
