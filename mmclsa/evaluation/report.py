"""Results as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from terminaltables import AsciiTable

from mmclsa.evaluation.functional import DetectionResult, SearchResult

__all__ = ['format_results', 'results_to_json']


def format_results(
    results: Sequence[SearchResult], detection: DetectionResult | None = None
) -> str:
    """Print results as a table, in percent, with the flags they were made with.

    Args:
        results: One for each protocol.
        detection: Figures of detection, if there are any.

    Returns:
        Several lines.
    """
    rows = [['protocol', 'queries', 'mAP', 'top-1', 'top-5', 'top-10']]
    for result in results:
        figures = [f'{100 * value:.2f}' for value in result.figures().values()]
        rows.append([result.name, str(len(result.ranks)), *figures])
    lines = [AsciiTable(rows, title='person search').table]
    if detection is not None:
        table = [['recall', 'AP'], [f'{100 * detection.recall:.2f}', f'{100 * detection.ap:.2f}']]
        lines.append(AsciiTable(table, title='detection').table)
    lines.extend(f'flags: {flags}' for flags in sorted({_describe(r) for r in results}))
    return '\n'.join(lines)


def _describe(result: SearchResult) -> str:
    return ', '.join(f'{name}={value}' for name, value in result.flags.describe().items())


def results_to_json(
    results: Sequence[SearchResult],
    detection: DetectionResult | None = None,
    labelled_recall: float | None = None,
) -> dict[str, Any]:
    """Arrange results for a JSON file.

    Args:
        results: One for each protocol and setting of CBGM.
        detection: Figures of detection, if there are any.
        labelled_recall: Recall over people with an identity.

    Returns:
        For each protocol (with ``_cbgm`` behind its name where CBGM was on)
        ``mAP``, ``top1``, ``top5``, ``top10``, ``per_query_ap`` and
        ``flags``; ``detection`` with ``recall``, ``ap``, ``labeled_recall``.
        All figures in [0, 1].
    """
    report: dict[str, Any] = {
        result.name + ('_cbgm' if result.flags.cbgm else ''): {
            **result.figures(),
            'per_query_ap': result.average_precisions.tolist(),
            'flags': result.flags.describe(),
        }
        for result in results
    }
    if detection is not None:
        report['detection'] = dict(recall=detection.recall, ap=detection.ap)
        if labelled_recall is not None:
            report['detection']['labeled_recall'] = labelled_recall
    return report
