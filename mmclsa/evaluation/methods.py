"""Methods side by side: from predictions to one report that JSON can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, UserError
from mmclsa.evaluation.comparison import Trained, compare_rows
from mmclsa.evaluation.functional import (
    SearchFlags,
    detections_of_scenes,
    evaluate_detection,
    evaluate_searches,
    holm,
    scenes_differ,
    tasks_differ,
)
from mmclsa.evaluation.query_figures import query_figures
from mmclsa.structures import Predictions, Scene, SearchProtocol

__all__ = ['Bed', 'check_same_bed', 'evaluate_run', 'methods_report']

#: Flags that say what counts as found; the others are a method's own way to search.
RULES = ('iou_rule', 'max_iou_thresh', 'duplicates', 'camera', 'missing_query')
DETECTION = ('detection/recall', 'detection/ap')
SEARCH = ('mAP', 'top1', 'top5', 'top10')


@dataclass(frozen=True)
class Bed:
    """What a method is measured on, and by which rules.

    Attributes:
        scenes: Annotated images of the test set.
        protocols: Search tasks on them.
        flags: How they are searched.
        detection_thresh: Detections below this score take no part in the
            detection figures.
        height_edges: Where bins of heights begin, pixels, ascending.
    """

    scenes: Sequence[Scene]
    protocols: Sequence[SearchProtocol]
    flags: SearchFlags
    detection_thresh: float
    height_edges: tuple[float, ...]

    def only(self, names: Sequence[str]) -> Bed:
        """Keep some protocols, in that order; a ``ConfigError`` names one that is missing."""
        known = {task.name: task for task in self.protocols}
        for name in names:
            if name not in known:
                raise ConfigError(f'--protocol must be of {", ".join(known)}, but is {name!r}')
        kept = [known[name] for name in names] if names else list(known.values())
        return Bed(self.scenes, kept, self.flags, self.detection_thresh, self.height_edges)


def check_same_bed(beds: Mapping[str, Bed]) -> None:
    """Refuse methods that are not measured alike.

    Args:
        beds: By name of the method.

    Raises:
        ConfigError: With what differs: images, people, protocols, queries,
            galleries, or a rule of counting.
    """
    (first, ours), *others = beds.items()
    for name, theirs in others:
        found = _difference(ours, theirs)
        if found:
            raise ConfigError(
                f'{first} and {name} must be tested on the same task, but their configs have '
                f'{found}'
            )


def _difference(ours: Bed, theirs: Bed) -> str:
    found = scenes_differ(ours.scenes, theirs.scenes)
    if found:
        return found
    names = [[task.name for task in bed.protocols] for bed in (ours, theirs)]
    if names[0] != names[1]:
        return f'the protocols {", ".join(names[0])} against {", ".join(names[1])}'
    for one, other in zip(ours.protocols, theirs.protocols):
        found = tasks_differ(one, other)
        if found:
            return f'{found} in the protocol {one.name}'
    rules = [(name, getattr(ours.flags, name), getattr(theirs.flags, name)) for name in RULES]
    own = ('detection_thresh', 'height_edges')
    rules += [(name, getattr(ours, name), getattr(theirs, name)) for name in own]
    return next((f'{name} {one} against {other}' for name, one, other in rules if one != other), '')


def evaluate_run(
    row: str, seed: int, predictions: Predictions, bed: Bed, facts: Mapping[str, str]
) -> list[Trained]:
    """Compute the figures of one run, those that ``tools/test.py`` gives.

    Args:
        row: Name of the method.
        seed: Number of the run.
        predictions: What the model found.
        bed: What it is measured on.
        facts: What else is to be known of the run.

    Returns:
        One for each protocol, all with the figures of all protocols and of
        detection, each with the queries of its own.

    Raises:
        UserError: If the predictions are not of these images and queries.
    """
    found = detections_of_scenes(bed.scenes, predictions)
    detection = evaluate_detection(bed.scenes, found, bed.detection_thresh)
    results = evaluate_searches(bed.protocols, predictions, bed.flags)
    figures = dict(zip(DETECTION, (detection.recall, detection.ap)))
    for task, result in zip(bed.protocols, results):
        figures.update({f'{task.name}/{k}': value for k, value in result.figures().items()})
    tasks = [task.with_camera_rule(bed.flags.camera) for task in bed.protocols]
    return [
        Trained(
            row=row,
            seed=seed,
            figures=figures,
            queries=query_figures(result, task, bed.height_edges),
            facts=facts,
            task=task.name,
        )
        for task, result in zip(tasks, results)
    ]


def methods_report(
    runs: Sequence[Trained],
    bed: Bed,
    flags: Mapping[str, SearchFlags],
    costs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put everything that tables and pictures show into one report.

    Args:
        runs: Of :func:`evaluate_run`, of all methods in the order of rows.
        bed: What they were measured on.
        flags: How each method searches.
        costs: What :func:`~mmclsa.engine.methods.measure_costs` gave.

    Returns:
        What JSON can say:

        - ``protocols``: ``name``, ``queries``, ``gallery_size``; the first is
          that of the main table.
        - ``methods``, by name: ``runs`` (``seed``, their facts, ``figures``),
          ``figures`` (``mean``, ``low``, ``high`` over the runs), ``by_height``
          (for each protocol bins of ``low``, ``high``, ``queries`` and the
          ``mAP`` of each run), ``flags`` and ``cost`` (null if unknown).
        - ``pairs``: for each protocol and two methods ``one`` and ``other`` the
          :class:`~mmclsa.evaluation.functional.PairedDifference` of their AP,
          ``one`` less ``other``, over the seeds that both have, with
          ``p_queries_holm`` and ``p_both_holm``, corrected for all pairs of the
          protocol. An ``error`` that is not known is null.
        - ``setting``: how cost was measured; null if it was not.

    Raises:
        UserError: If two methods have no seed in common.
    """
    names = list(dict.fromkeys(run.row for run in runs))
    measured: Mapping[str, Any] = (costs or {}).get('methods', {})
    return dict(
        protocols=[
            dict(name=task.name, queries=len(task), gallery_size=task.gallery_size)
            for task in bed.protocols
        ],
        detection_thresh=bed.detection_thresh,
        methods={
            name: _method_report(
                [run for run in runs if run.row == name], bed, flags[name], measured.get(name)
            )
            for name in names
        },
        pairs=[pair for task in bed.protocols for pair in _pairs(runs, names, task.name)],
        setting=(costs or {}).get('setting'),
    )


def _method_report(
    runs: Sequence[Trained], bed: Bed, flags: SearchFlags, cost: Any
) -> dict[str, Any]:
    first = [run for run in runs if run.task == bed.protocols[0].name]
    bounds = [0.0, *bed.height_edges, None]
    heights = {}
    for task in bed.protocols:
        own = [run.queries.by_height for run in runs if run.task == task.name]
        heights[task.name] = [
            dict(
                low=bounds[place],
                high=bounds[place + 1],
                queries=int(np.isfinite(own[0][place]).sum()),
                mAP=[_mean(values[place]) for values in own],
            )
            for place in range(len(bounds) - 1)
        ]
    return dict(
        runs=[dict(seed=r.seed, **r.facts, figures=dict(r.figures)) for r in first],
        figures={name: _spread([run.figures[name] for run in first]) for name in first[0].figures},
        by_height=heights,
        flags=flags.as_used(bed.protocols[0].cbgm_sizes).describe(),
        cost=cost,
    )


def _mean(values: np.ndarray) -> float | None:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else None


def _spread(values: Sequence[float]) -> dict[str, float]:
    return dict(mean=float(np.mean(values)), low=min(values), high=max(values))


def _pairs(runs: Sequence[Trained], names: Sequence[str], task: str) -> list[dict[str, Any]]:
    """Compare every two methods on one protocol."""
    own = [run for run in runs if run.task == task]
    found = []
    for one, other in combinations(names, 2):
        compared = compare_rows(own, {one: other})
        if not compared:
            raise UserError(
                f'{one} and {other} must have runs of the same seed to be compared, but have '
                f'{[r.seed for r in own if r.row == one]} and '
                f'{[r.seed for r in own if r.row == other]}'
            )
        found.append((one, other, compared[one]))
    queries = holm([pair.p_queries for _, _, pair in found])
    several = [len(pair.per_seed) > 1 for _, _, pair in found]
    both = iter(holm([p.p_both for (_, _, p), more in zip(found, several) if more]))
    return [
        dict(
            protocol=task,
            one=one,
            other=other,
            mean=pair.mean,
            per_seed=[None if np.isnan(value) else value for value in pair.per_seed],
            queries=pair.queries,
            error=pair.error if np.isfinite(pair.error) else None,
            p_queries=pair.p_queries,
            p_queries_holm=float(corrected),
            p_both=pair.p_both,
            p_both_holm=float(next(both)) if more else None,
        )
        for (one, other, pair), corrected, more in zip(found, queries, several)
    ]
