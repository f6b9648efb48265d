"""MMEngine's metric around the functions that evaluate person search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmclsa.errors import ConfigError
from mmclsa.evaluation.device import product_on
from mmclsa.evaluation.functional import (
    HEIGHT_EDGES,
    PRESETS,
    evaluate_detection,
    evaluate_searches,
    flags_for_thresholds,
)
from mmclsa.evaluation.metrics.detection_parts import figures_by_name, figures_of_parts
from mmclsa.evaluation.metrics.scene_results import (
    collect_predictions,
    result_of_scene,
    results_by_scene,
)
from mmclsa.evaluation.query_figures import query_figures, save_query_figures
from mmclsa.evaluation.report import format_results, result_names
from mmclsa.registry import METRICS
from mmclsa.structures import Predictions, SearchProtocol
from mmclsa.utils.io import atomic_write

__all__ = ['PersonSearchMetric', 'save_predictions']


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write ``predictions.npz`` whole or not at all; see docs/evaluation.md."""
    arrays: dict[str, Any] = dict(predictions.arrays())
    # Given a name, NumPy would add .npz to one that does not have it.
    with atomic_write(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **arrays)


@METRICS.register_module()
class PersonSearchMetric(BaseMetric):
    """Search and detection figures of every protocol of the test set.

    The data set hands its protocols and scenes over in ``dataset_meta``. One
    pass over the images serves all protocols. Results are
    ``search/<protocol>/mAP``, ``top1``, ``top5``, ``top10`` and
    ``search/detection/recall``, ``ap``, all in [0, 1]; they do not depend on
    the order of the images, on batches, or on the number of processes. Of a
    ``ConcatPersonSearchDataset`` there are also
    ``search/<data set>_detection/recall`` and ``ap``; ``search/detection`` is
    of all scenes together.

    Convention:
        All choices are those of :func:`~mmclsa.evaluation.functional.evaluate_search`,
        by default SeqNet's. The first of two detections wrong, the second right, one to
        find: mAP 0.5, top-1 0, top-5 1.

    Args:
        det_thresh: Detections below this score are not searched; several
            thresholds give ``search/<protocol>@<threshold>/...`` for all but
            the first. None for the preset's.
        preset: Whose choices to make, e.g. ``alignps``; see
            :func:`~mmclsa.evaluation.functional.preset_flags`.
        dataset: For the preset: ``cuhk_sysu``, ``prw`` or another.
        detection_thresh: Detections below this score take no part in the
            detection figures.
        outfile: Write the predictions there (``predictions.npz``).
        query_outfile: Write the figures of each query of the first protocol
            there; see :class:`~mmclsa.evaluation.query_figures.QueryFigures`.
        height_edges: Where its bins of heights begin, in pixels, ascending.
        device: Where similarities are computed: ``cpu``, or PyTorch's name of
            a device.
        collect_device: As for ``mmengine.evaluator.BaseMetric``.
        prefix: As for ``mmengine.evaluator.BaseMetric``.
        flags: Any other of :class:`~mmclsa.evaluation.functional.SearchFlags`,
            e.g. ``cbgm=True``; over the preset's.

    Raises:
        ConfigError: If there is no such flag, choice, preset or device.
    """

    default_prefix = 'search'

    def __init__(
        self,
        det_thresh: float | Sequence[float] | None = None,
        preset: str = 'seqnet',
        dataset: str = 'coco',
        detection_thresh: float | None = None,
        outfile: str | None = None,
        query_outfile: str | None = None,
        height_edges: Sequence[float] = HEIGHT_EDGES,
        device: str = 'cpu',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        **flags: Any,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.flags = flags_for_thresholds(preset, dataset, det_thresh, flags)
        self.detection_thresh = (
            PRESETS[preset].detection_thresh if detection_thresh is None else detection_thresh
        )
        self.outfile = outfile
        self.query_outfile = query_outfile
        self.height_edges = tuple(height_edges)
        self.make_product = product_on(device)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the figures need of a batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id``, ``pred_instances`` (``bboxes``,
                ``scores``, ``embeddings``) and, where the scene has queries,
                ``query_instances`` (``query_ids``, ``embeddings``).
        """
        self.results.extend(result_of_scene(sample) for sample in data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures of all scenes' results.

        Args:
            results: Those of all processes, in any order.

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
        in_order = results_by_scene(results, scenes)
        predictions = collect_predictions(in_order, protocols)
        if self.outfile:
            save_predictions(self.outfile, predictions)
        searched = [
            result
            for flags in self.flags
            for result in evaluate_searches(
                protocols, predictions, flags, make_product=self.make_product
            )
        ]
        if self.query_outfile:
            of_queries = query_figures(searched[0], protocols[0], self.height_edges)
            save_query_figures(self.query_outfile, of_queries)
        found = [(result['boxes'], result['scores']) for result in in_order]
        detection = evaluate_detection(scenes, found, self.detection_thresh)
        parts = figures_of_parts(self.dataset_meta, found, self.detection_thresh)
        print_log('\n' + format_results(searched, detection, parts), logger='current')
        figures = {
            f'{name}/{figure}': value
            for name, result in zip(result_names(searched, cbgm=False), searched)
            for figure, value in result.figures().items()
        }
        figures.update({'detection/recall': detection.recall, 'detection/ap': detection.ap})
        return {**figures, **figures_by_name(parts)}
