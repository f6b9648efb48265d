"""How the levels of trained models agree: measured, kept, and put into tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from terminaltables import GithubFlavoredMarkdownTable

from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.functional import (
    LevelGain,
    SearchFlags,
    compare_rankings,
    evaluate_search,
    js_divergences,
    kl_divergences,
    level_gain,
    split_levels,
)
from mmclsa.structures import Predictions, SearchProtocol
from mmclsa.utils.arrays import load_arrays
from mmclsa.utils.io import atomic_write

__all__ = [
    'LevelFigures',
    'figures_by_row',
    'gains_csv',
    'levels_tables',
    'load_level_figures',
    'measure_levels',
    'pairs_csv',
    'save_level_figures',
]

PAIR_FIGURES = ('js', 'kl', 'spearman', 'overlap', 'same_nearest')


@dataclass(frozen=True, eq=False)
class LevelFigures:
    """Agreement of the levels of one model, per person and per query.

    Attributes:
        pairs: Two levels each, the lower first, shape (P, 2).
        js: Jensen-Shannon divergence of their predictions, bits, for each of
            N people, shape (P, N).
        kl: KL(higher level || lower level), bits, shape (P, N).
        spearman: Rank correlation of their rankings, shape (P, Q); NaN where
            it is not defined.
        overlap: Share of the ten best that both have, shape (P, Q).
        same_nearest: 1 where the most similar detection is the same, (P, Q).
        precisions: Average precision of each query under each level and, last,
            under all, shape (levels + 1, Q).
        ranks: Rank of the first right detection, same shape, from 1; 0 if there
            is none.
    """

    pairs: np.ndarray
    js: np.ndarray
    kl: np.ndarray
    spearman: np.ndarray
    overlap: np.ndarray
    same_nearest: np.ndarray
    precisions: np.ndarray
    ranks: np.ndarray

    def of_pair(self, place: int) -> dict[str, float]:
        """Average the figures of a pair; a query whose correlation is NaN is left out."""
        means = {}
        for name in PAIR_FIGURES:
            values = getattr(self, name)[place]
            kept = values[np.isfinite(values)]
            means[name] = float(kept.mean()) if len(kept) else float('nan')
        return means

    @property
    def gain(self) -> LevelGain:
        """The gain of the concatenation over the levels."""
        (*levels, whole), (*places, whole_places) = self.precisions, self.ranks
        return level_gain(np.array(levels), np.array(places), whole, whole_places)


def measure_levels(
    protocol: SearchProtocol,
    predictions: Predictions,
    logits: Sequence[np.ndarray],
    flags: SearchFlags | None = None,
) -> LevelFigures:
    """Compare the levels of a model.

    Args:
        protocol: The task.
        predictions: With the embeddings of all levels side by side; see
            :func:`~mmclsa.evaluation.functional.split_levels`.
        logits: Of each level over the training identities, from low to high,
            each (N, C), of whichever people are to be compared.
        flags: Of the search.

    Returns:
        The figures, over the queries that count.
    """
    *levels, whole = split_levels(predictions, len(logits))
    results = [evaluate_search(protocol, part, flags) for part in (*levels, whole)]
    counted = results[0].counted
    queries = slice(None) if counted is None else counted
    rankings = compare_rankings(protocol, levels, flags)
    low, high = np.triu_indices(len(levels), k=1)
    pairs = list(zip(low, high))
    empty = np.zeros((0, len(logits[0])))
    return LevelFigures(
        pairs=np.stack([low, high], axis=1),
        js=np.stack([js_divergences(logits[a], logits[b]) for a, b in pairs]) if pairs else empty,
        kl=np.stack([kl_divergences(logits[b], logits[a]) for a, b in pairs]) if pairs else empty,
        **{name: values[low, high][:, queries] for name, values in rankings.items()},
        precisions=np.stack([result.average_precisions[queries] for result in results]),
        ranks=np.stack([result.ranks[queries] for result in results]),
    )


def save_level_figures(path: str | Path, figures: LevelFigures, stamp: str) -> None:
    """Write figures and what they were measured on (``stamp``), whole or not at all."""
    with atomic_write(path) as temporary:
        arrays: dict[str, Any] = {**vars(figures), 'stamp': np.array(stamp)}
        np.savez_compressed(temporary, **arrays)


def load_level_figures(path: str | Path, stamp: str) -> LevelFigures | None:
    """Read what :func:`save_level_figures` wrote.

    Returns:
        The figures; None if there are none, or of something else.

    Raises:
        DataError: If it is no such file.
    """
    if not Path(path).is_file():
        return None
    arrays = load_arrays(path, 'figures of levels')
    try:
        if str(arrays['stamp']) != stamp:
            return None
        return LevelFigures(**{name: arrays[name] for name in LevelFigures.__annotations__})
    except KeyError as error:
        raise DataError(f'{path} has no figures of levels ({error})') from None


Runs = Mapping[tuple[str, int], LevelFigures]


def figures_by_row(runs: Runs) -> dict[str, list[LevelFigures]]:
    """Collect the figures of each row over its seeds, in order of appearance."""
    rows: dict[str, list[LevelFigures]] = {}
    for (row, _), figures in runs.items():
        rows.setdefault(row, []).append(figures)
    return rows


def pairs_csv(runs: Runs) -> str:
    """Write a line for each pair of levels of each run (row, seed)."""
    lines = [
        [row, seed, f'{low}-{high}', *(f'{value:.6f}' for value in figures.of_pair(p).values())]
        for (row, seed), figures in runs.items()
        for p, (low, high) in enumerate(figures.pairs)
    ]
    return _csv([['row', 'seed', 'levels', *PAIR_FIGURES], *lines])


def gains_csv(runs: Runs) -> str:
    """Write a line for each level, all levels and the oracle of each run (row, seed)."""
    lines = [
        [row, seed, what, *(f'{value:.6f}' for value in values)]
        for (row, seed), figures in runs.items()
        for what, values in _descriptors(figures.gain).items()
    ]
    return _csv([['row', 'seed', 'descriptor', 'mAP', 'top1', 'mAP_over_best_level'], *lines])


def _csv(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(lines)
    return text.getvalue()


def _descriptors(gain: LevelGain) -> dict[str, tuple[float, float, float]]:
    """Give mAP, top-1 and what the mAP is over the best level's."""
    found = {f'level_{n}': pair for n, pair in enumerate(zip(gain.levels, gain.top1))}
    found['concatenation'] = (gain.concatenation, gain.concatenation_top1)
    found['oracle'] = (gain.oracle, gain.oracle_top1)
    best = max(gain.levels)
    return {name: (precision, top1, precision - best) for name, (precision, top1) in found.items()}


def levels_tables(runs: Runs) -> str:
    """Make two tables in Markdown, of the means over each row's seeds.

    Returns:
        How far each two levels agree; and mAP and top-1 of each level, of all
        together, what that gains, and of the best level for each query.

    Raises:
        UserError: If the runs of a row have different levels.
    """
    rows = figures_by_row(runs)
    for row, of_row in rows.items():
        if len({len(figures.precisions) for figures in of_row}) > 1:
            raise UserError(f'the runs of {row} have different numbers of levels')
    agreement = [['row', 'seeds', 'levels', 'JS, bits', 'KL, bits', 'Spearman', 'same of 10']]
    agreement[0].append('same nearest')
    gains = [['row', 'seeds', 'mAP of each level', 'of all', 'gain', 'oracle', 'top-1 of each']]
    gains[0] += ['of all', 'oracle']
    for row, of_row in rows.items():
        for place, (low, high) in enumerate(of_row[0].pairs):
            pairs = [figures.of_pair(place) for figures in of_row]
            means = [np.mean([pair[name] for pair in pairs]) for name in PAIR_FIGURES]
            line = [row, str(len(of_row)), f'{low}, {high}', *(f'{m:.3f}' for m in means)]
            agreement.append(line)
        gains.append([row, str(len(of_row)), *_gain_line([figures.gain for figures in of_row])])
    return '\n\n'.join(GithubFlavoredMarkdownTable(t).table for t in (agreement, gains))


def _gain_line(gains: Sequence[LevelGain]) -> list[str]:
    def mean(name: str) -> np.ndarray:
        return 100 * np.mean([getattr(gain, name) for gain in gains], axis=0)

    def several(name: str) -> str:
        return ', '.join(f'{value:.1f}' for value in mean(name))

    each = [100 * gain.gain for gain in gains]
    gained = f'{np.mean(each):+.1f} ({min(each):+.1f} to {max(each):+.1f})'
    found = [several('levels'), f'{mean("concatenation"):.1f}', gained, f'{mean("oracle"):.1f}']
    top = [several('top1'), f'{mean("concatenation_top1"):.1f}', f'{mean("oracle_top1"):.1f}']
    return found + top
