"""Results as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from terminaltables import AsciiTable

from mmclsa.evaluation.functional import DetectionResult, SearchResult, Stratum

__all__ = ['format_results', 'format_strata', 'result_names', 'results_to_json', 'strata_to_json']

CMC_LENGTH = 50


def result_names(results: Sequence[SearchResult], cbgm: bool = True) -> list[str]:
    """Name results: the protocol's name, and what sets the result apart.

    Args:
        results: One for each protocol and setting.
        cbgm: Whether to put ``_cbgm`` behind the names of results with CBGM.

    Returns:
        ``<protocol>[_cbgm][@<det_thresh>]``, the threshold only where an
        earlier result has the name already.

    Raises:
        ValueError: If two results have the same name all the same.
    """
    names: list[str] = []
    for result in results:
        name = result.name + ('_cbgm' if cbgm and result.flags.cbgm else '')
        if name in names:
            name += f'@{result.flags.det_thresh:g}'
        if name in names:
            raise ValueError(f'two results are called {name}')
        names.append(name)
    return names


def format_results(
    results: Sequence[SearchResult],
    detection: DetectionResult | None = None,
    parts: Mapping[str, DetectionResult] | None = None,
) -> str:
    """Print results as a table, in percent, with the flags they were made with.

    Args:
        results: One for each protocol; none for detection alone.
        detection: Figures of detection, if there are any.
        parts: Those of each data set by its name, where there are several.
    """
    rows = [['protocol', 'queries', 'mAP', 'top-1', 'top-5', 'top-10']]
    for name, result in zip(result_names(results), results):
        figures = [f'{100 * value:.2f}' for value in result.figures().values()]
        rows.append([name, str(result.num_counted), *figures])
    lines = [AsciiTable(rows, title='person search').table] if results else []
    if detection is not None:
        named = {**(parts or {}), 'all' if parts else '': detection}
        table = [['data set', 'recall', 'AP']] + [
            [name, f'{100 * found.recall:.2f}', f'{100 * found.ap:.2f}']
            for name, found in named.items()
        ]
        if not parts:
            table = [row[1:] for row in table]
        lines.append(AsciiTable(table, title='detection').table)
    lines.extend(f'flags: {flags}' for flags in dict.fromkeys(_describe(r) for r in results))
    lines.extend(
        f'note: {name}: {note}'
        for name, result in zip(result_names(results), results)
        for note in result.notes
    )
    return '\n'.join(lines)


def _describe(result: SearchResult) -> str:
    return ', '.join(f'{name}={value}' for name, value in result.flags.describe().items())


def format_strata(title: str, strata: Mapping[str, Sequence[Stratum]]) -> str:
    """Print figures by bin as a table, in percent."""
    rows = [['protocol', 'from', 'to', 'queries', 'matches', 'recall', 'mAP', 'top-1']]
    for name, bins in strata.items():
        for stratum in bins:
            figures = (stratum.recall, stratum.mAP, stratum.top1)
            shown = [f'{100 * value:.2f}' if stratum.queries else '-' for value in figures]
            bounds = [f'{stratum.low:g}', f'{stratum.high:g}']
            rows.append([name, *bounds, str(stratum.queries), str(stratum.matches), *shown])
    return AsciiTable(rows, title=title).table


def strata_to_json(strata: Sequence[Stratum]) -> list[dict[str, Any]]:
    """Arrange bins for a JSON file; the last one's ``high`` is null."""
    return [
        {**asdict(stratum), 'high': None if stratum.high == float('inf') else stratum.high}
        for stratum in strata
    ]


def results_to_json(
    results: Sequence[SearchResult],
    detection: DetectionResult | None = None,
    labelled_recall: float | None = None,
) -> dict[str, Any]:
    """Arrange results for a JSON file.

    Args:
        results: One for each protocol and setting.
        detection: Figures of detection, if there are any.
        labelled_recall: Recall over people with an identity.

    Returns:
        For each result, by :func:`result_names`, ``mAP``, ``top1``, ``top5``,
        ``top10``, ``per_query_ap`` (null for a query that is left out),
        ``per_query_rank`` (0 if nothing right was found), ``cmc``, ``gallery_size``, ``flags`` and
        ``notes``; ``detection`` with ``recall``, ``ap``, ``labeled_recall``.
        All figures in [0, 1].
    """
    report: dict[str, Any] = {}
    for name, result in zip(result_names(results), results):
        precisions: list[float | None] = list(result.average_precisions.tolist())
        if result.counted is not None:
            precisions = [p if kept else None for p, kept in zip(precisions, result.counted)]
        report[name] = {
            **result.figures(),
            'per_query_ap': precisions,
            'per_query_rank': result.ranks.tolist(),
            'cmc': result.cmc(CMC_LENGTH).tolist(),
            'gallery_size': result.gallery_size,
            'flags': result.flags.describe(),
            'notes': list(result.notes),
        }
    if detection is not None:
        report['detection'] = dict(recall=detection.recall, ap=detection.ap)
        if labelled_recall is not None:
            report['detection']['labeled_recall'] = labelled_recall
    return report
