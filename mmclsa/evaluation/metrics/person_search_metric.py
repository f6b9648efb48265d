"""MMEngine's metric around the functions that evaluate person search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmclsa.errors import ConfigError, DataError
from mmclsa.evaluation.functional import SearchFlags, evaluate_detection, evaluate_search
from mmclsa.evaluation.metrics.records import collect_predictions, record_of, records_by_image
from mmclsa.evaluation.report import format_results
from mmclsa.registry import METRICS
from mmclsa.structures import Predictions, SearchProtocol
from mmclsa.utils.io import atomic_write

__all__ = ['PersonSearchMetric', 'save_predictions']


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write ``predictions.npz`` whole or not at all; see docs/evaluation.md."""
    with atomic_write(path) as temporary:
        arrays: dict[str, Any] = dict(predictions.arrays())
        np.savez(temporary, **arrays)


@METRICS.register_module()
class PersonSearchMetric(BaseMetric):
    """Search and detection figures of every protocol of the test set.

    The data set hands its protocols and scenes over in ``dataset_meta``. One
    pass over the images serves all protocols. Results are
    ``search/<protocol>/mAP``, ``top1``, ``top5``, ``top10`` and
    ``search/detection/recall``, ``ap``, all in [0, 1]; they do not depend on
    the order of the images, on batches, or on the number of processes.

    Args:
        det_thresh: Detections below this score are not searched.
        cbgm: Re-score the best images by context bipartite graph matching.
        k1: Of CBGM; None for the protocol's default.
        k2: Likewise.
        detection_thresh: Detections below this score take no part in the
            detection figures.
        outfile: Write the predictions there (``predictions.npz``).
        collect_device: As for ``mmengine.evaluator.BaseMetric``.
        prefix: Likewise.
    """

    default_prefix = 'search'

    def __init__(
        self,
        det_thresh: float = 0.5,
        cbgm: bool = False,
        k1: int | None = None,
        k2: int | None = None,
        detection_thresh: float = 0.01,
        outfile: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.flags = SearchFlags(det_thresh=det_thresh, cbgm=cbgm, k1=k1, k2=k2)
        self.detection_thresh = detection_thresh
        self.outfile = outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the figures need of a batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id``, ``pred_instances`` (``bboxes``,
                ``scores``, ``embeddings``) and, where the scene has queries,
                ``query_instances`` (``query_ids``, ``embeddings``).
        """
        self.results.extend(record_of(sample) for sample in data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures of all scenes' records.

        Args:
            results: Records of all processes, in any order.

        Returns:
            Figure by name, without the prefix.

        Raises:
            ConfigError: If the data set has no protocol.
            DataError: If a scene or a query was not predicted.
        """
        protocols: list[SearchProtocol] = (self.dataset_meta or {}).get('protocols') or []
        if not protocols:
            raise ConfigError(
                'PersonSearchMetric needs a data set with protocols: is test_mode=True set?'
            )
        scenes = self.dataset_meta['scenes']
        records = records_by_image(results, scenes)
        context = self.flags.det_thresh if self.flags.cbgm else None
        predictions = collect_predictions(records, _widest(protocols), context)
        if self.outfile:
            save_predictions(self.outfile, predictions)
        searched = [evaluate_search(p, predictions, self.flags) for p in protocols]
        found = [(record['boxes'], record['scores']) for record in records]
        detection = evaluate_detection(scenes, found, self.detection_thresh)
        print_log('\n' + format_results(searched, detection), logger='current')
        figures = {
            f'{result.name}/{name}': value
            for result in searched
            for name, value in result.figures().items()
        }
        return figures | {
            'detection/recall': detection.recall,
            'detection/ap': detection.ap,
        }


def _widest(protocols: Sequence[SearchProtocol]) -> SearchProtocol:
    """Choose the protocol that lists every query of the data set."""
    widest = max(protocols, key=len)
    expected = np.arange(len(widest))
    if not np.array_equal(widest.query_ids, expected):
        raise DataError(
            f'protocol {widest.name} must list the queries 0..{len(widest) - 1} in order, since '
            'no other protocol of the data set lists them all'
        )
    return widest
