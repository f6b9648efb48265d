"""The metric: batches, order, padding and processes leave the figures alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.evaluation.functional import SearchFlags, evaluate_detection, evaluate_search
from mmclsa.evaluation.metrics import PersonSearchMetric
from mmclsa.evaluation.query_figures import load_query_figures
from mmclsa.registry import METRICS
from mmclsa.structures import Predictions, Query, SearchProtocol
from tests.ranks import run_ranks
from tests.test_evaluation.cases import make_predictions, make_task
from tests.test_evaluation.test_detection import found_in

SEED = 3


@pytest.fixture(scope='module')
def case():
    return make_metric_case()


def make_metric_case():
    """Scenes, two tasks on the same queries, predictions and the model's data samples."""
    scenes, protocol = make_task(SEED, images=12, queries=8)
    predictions = make_predictions(SEED, scenes, protocol, per_image=8)
    samples = []
    for scene in scenes:
        rows = predictions.images == scene.image
        asked = np.flatnonzero(predictions.query_images == scene.image)
        samples.append(
            dict(
                img_id=scene.image,
                pred_instances=dict(
                    bboxes=torch.from_numpy(predictions.boxes[rows]),
                    scores=torch.from_numpy(predictions.scores[rows]),
                    embeddings=torch.from_numpy(predictions.embeddings[rows]),
                ),
                query_instances=dict(
                    query_ids=torch.from_numpy(asked),
                    embeddings=torch.from_numpy(predictions.query_embeddings[asked]),
                ),
            )
        )
    meta = dict(protocols=[protocol], scenes=scenes)
    return meta, predictions, samples


def make_metric(meta, **options):
    metric = METRICS.build(dict(type='PersonSearchMetric', **options))
    metric.dataset_meta = meta
    return metric


def run(meta, samples, batch=3, size=None, **options):
    metric = make_metric(meta, **options)
    for start in range(0, len(samples), batch):
        metric.process({}, samples[start : start + batch])
    return metric.evaluate(size or len(samples))


def test_figures_are_those_of_the_functions(case):
    meta, predictions, samples = case
    figures = run(meta, samples)
    (protocol,) = meta['protocols']
    expected = evaluate_search(protocol, predictions).figures()
    assert 0.1 < expected['mAP'] < 0.9
    for name, value in expected.items():
        assert figures[f'search/random/{name}'] == pytest.approx(value, abs=1e-12)
    detection = evaluate_detection(meta['scenes'], found_in(meta['scenes'], predictions))
    assert figures['search/detection/recall'] == pytest.approx(detection.recall, abs=1e-12)
    assert figures['search/detection/ap'] == pytest.approx(detection.ap, abs=1e-12)
    assert len(figures) == 6


@pytest.mark.parametrize('batch', [1, 2, 100])
def test_batches_and_order_do_not_matter(case, batch):
    meta, _, samples = case
    assert run(meta, samples[::-1], batch) == run(meta, samples)


def test_scenes_that_come_twice_count_once(case):
    meta, _, samples = case
    twice = [*samples, *samples[:2]]
    assert run(meta, twice, size=len(twice)) == run(meta, samples)


def test_cbgm_takes_the_context_from_the_detections(case):
    meta, _, samples = case
    figures = run(meta, samples, cbgm=True, k1=3, k2=2)
    assert make_metric(meta, cbgm=True).flags == [SearchFlags(cbgm=True)]
    assert 0 <= figures['search/random/mAP'] <= 1
    assert figures['search/detection/ap'] == run(meta, samples)['search/detection/ap']


@pytest.mark.parametrize('name', ['predictions', 'p.pkl'])
def test_predictions_are_saved_under_the_name_that_is_given(case, tmp_path, name):
    """NumPy adds .npz to other names: an empty file stood under this one."""
    meta, predictions, samples = case
    run(meta, samples, outfile=str(tmp_path / name), query_outfile=str(tmp_path / f'q_{name}'))
    assert len(Predictions.load(tmp_path / name).images) == len(predictions.images)
    assert load_query_figures(tmp_path / f'q_{name}').average_precisions.size
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, f'q_{name}'])


def test_predictions_are_saved_and_give_the_same_figures(case, tmp_path):
    meta, predictions, samples = case
    figures = run(meta, samples, outfile=str(tmp_path / 'p.npz'), cbgm=True)
    saved = Predictions.load(tmp_path / 'p.npz')
    again = evaluate_search(meta['protocols'][0], saved, SearchFlags(cbgm=True))
    assert again.mean_average_precision == pytest.approx(figures['search/random/mAP'], abs=1e-12)
    assert sorted(saved.images) == sorted(predictions.images)
    assert [p.name for p in tmp_path.iterdir()] == ['p.npz']


def test_flags_and_several_thresholds(case):
    meta, predictions, samples = case
    figures = run(meta, samples, det_thresh=[0.5, 0.7], similarity='cosine')
    for thresh, name in ((0.5, 'random'), (0.7, 'random@0.7')):
        flags = SearchFlags(det_thresh=thresh, similarity='cosine')
        expected = evaluate_search(meta['protocols'][0], predictions, flags)
        value = figures[f'search/{name}/mAP']
        assert value == pytest.approx(expected.mean_average_precision, abs=1e-12)
    preset = make_metric(meta, preset='gfn', dataset='prw')
    assert preset.detection_thresh == 0.5
    assert preset.flags == [SearchFlags(similarity='cosine')]
    with pytest.raises(ConfigError, match=r"duplicates must be one of legacy.*'once'"):
        make_metric(meta, duplicates='once')
    with pytest.raises(ConfigError, match='no such search flag'):
        make_metric(meta, cgbm=True)
    with pytest.raises(ConfigError, match="device 'tpu' cannot be used"):
        make_metric(meta, device='tpu')


def test_a_task_on_some_of_the_queries(case, tmp_path):
    """Alone, or beside the task on all of them."""
    meta, predictions, samples = case
    (protocol,) = meta['protocols']
    some = part_of(protocol, [1, 4, 6])
    alone = run(dict(meta, protocols=[some]), samples, outfile=str(tmp_path / 'p.npz'))
    both = run(dict(meta, protocols=[some, protocol]), samples)
    assert alone['search/part/mAP'] == both['search/part/mAP']
    assert both['search/random/mAP'] == run(meta, samples)['search/random/mAP']
    expected = evaluate_search(protocol, predictions).average_precisions[[1, 4, 6]]
    assert alone['search/part/mAP'] == pytest.approx(expected.mean(), abs=1e-12)
    saved = Predictions.load(tmp_path / 'p.npz')
    assert saved.query_ids.tolist() == [1, 4, 6]
    assert evaluate_search(some, saved).average_precisions == pytest.approx(expected)
    with pytest.raises(UserError, match='query 0 of protocol random has no embedding'):
        evaluate_search(protocol, saved)


def part_of(protocol, numbers):
    return SearchProtocol.build(
        'part',
        protocol.images,
        [
            Query(
                protocol.images[protocol.query_images[n]],
                protocol.query_boxes[n],
                int(protocol.person_ids[n]),
                int(protocol.cam_ids[n]),
            )
            for n in numbers
        ],
        [[(protocol.images[i], box) for i, box in zip(*protocol.truth(n))] for n in numbers],
        [[protocol.images[i] for i in protocol.gallery(n)] for n in numbers],
        query_ids=numbers,
    )


def test_a_missing_scene_or_query_is_named(case):
    meta, _, samples = case
    with pytest.raises(DataError, match=r'image 11\.jpg was not predicted: 11 of 12'):
        run(meta, samples[:-1])
    without = [dict(s, query_instances=None) for s in samples]
    with pytest.raises(DataError, match='query 0 of protocol random has no embedding'):
        run(meta, without)
    with pytest.raises(ConfigError, match='protocols'):
        run(dict(protocols=[], scenes=meta['scenes']), samples)


def work(rank, ranks, folder):
    meta, _, samples = make_metric_case()
    # As DefaultSampler does: every second scene, padded to the same number.
    padded = [*samples, *samples[: len(samples) % 2]]
    figures = run(meta, padded[rank::ranks], size=len(samples), cbgm=True)
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(figures, file)


@pytest.mark.timeout(300)
def test_two_ranks_give_the_figures_of_one(case, tmp_path):
    run_ranks(work, 2, str(tmp_path))
    meta, _, samples = case
    alone = run(meta, samples, cbgm=True)
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == alone
    assert isinstance(make_metric(meta), PersonSearchMetric)


class TestDetectionAlone:
    """A detector without embeddings has the figures that a search has of its boxes."""

    def run(self, meta, samples, **options):
        metric = METRICS.build(dict(type='PersonDetectionMetric', **options))
        metric.dataset_meta = meta
        metric.process({}, samples)
        return metric.evaluate(len(samples))

    def bare(self, samples):
        return [
            dict(
                img_id=sample['img_id'],
                pred_instances=dict(
                    bboxes=sample['pred_instances']['bboxes'],
                    scores=sample['pred_instances']['scores'],
                    labels=torch.zeros(len(sample['pred_instances']['scores']), dtype=torch.int64),
                ),
            )
            for sample in samples
        ]

    def test_figures_are_those_of_the_search(self, case):
        meta, _, samples = case
        found, searched = self.run(meta, self.bare(samples)), run(meta, samples)
        for name in ('recall', 'ap'):
            assert found[f'detection/{name}'] == searched[f'search/detection/{name}']
        assert 0.1 < found['detection/ap'] < 1
        boxes = [
            (np.asarray(s['pred_instances']['bboxes']), np.asarray(s['pred_instances']['scores']))
            for s in samples
        ]
        labelled = evaluate_detection(meta['scenes'], boxes, labelled_only=True)
        assert found['detection/labeled_recall'] == labelled.recall
        strict = evaluate_detection(meta['scenes'], boxes, 0.3, 0.8)
        strictly = self.run(meta, self.bare(samples), detection_thresh=0.3, iou_thresh=0.8)
        assert strictly['detection/ap'] == strict.ap < found['detection/ap']

    def test_each_data_set_has_its_figures(self, case):
        meta, _, samples = case
        parts = dict(first=5, second=7)
        found, searched = (
            self.run({**meta, 'parts': parts}, self.bare(samples)),
            run({**meta, 'parts': parts}, samples),
        )
        for name in parts:
            for figure in ('recall', 'ap'):
                key = f'{name}_detection/{figure}'
                assert found[f'detection/{key}'] == searched[f'search/{key}']

    def test_other_classes_and_endless_boxes_are_no_people(self, case):
        meta, _, samples = case
        expected = self.run(meta, self.bare(samples))
        noisy = self.bare(samples)
        for sample in noisy:
            people = sample['pred_instances']
            car, endless = people['bboxes'][:1], torch.full((1, 4), float('inf'))
            sample['pred_instances'] = dict(
                bboxes=torch.cat([car, people['bboxes'], endless]),
                scores=torch.cat([torch.ones(len(car)), people['scores'], torch.ones(1)]),
                labels=torch.cat([torch.full((len(car),), 2), people['labels'], torch.zeros(1)]),
            )
        assert self.run(meta, noisy) == expected

    def test_faults(self, case):
        meta, _, samples = case
        with pytest.raises(DataError, match='was not predicted'):
            self.run(meta, self.bare(samples)[1:])
        with pytest.raises(ConfigError, match='test_mode=True'):
            self.run({}, self.bare(samples))
        with pytest.raises(ConfigError, match=r'iou_thresh must lie in 0\.\.1, not 50'):
            self.run(meta, [], iou_thresh=50)
