"""Rows of trained models, each compared with another, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.paired import PairedDifference, compare_pairs
from mmclsa.evaluation.query_figures import QueryFigures

__all__ = ['Slices', 'Trained', 'bin_name', 'by_row', 'compare_rows', 'row_precisions', 'slices_of']


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that was trained and tested.

    Attributes:
        row: Name of its setting.
        seed: Of the training.
        figures: As the evaluation names them, in [0, 1].
        queries: Figures of each query of the task.
        facts: What else the CSV tells: commit, options, seconds.
        task: Protocol that is looked at; empty for the only one.
    """

    row: str
    seed: int
    figures: Mapping[str, float]
    queries: QueryFigures
    facts: Mapping[str, str] = field(default_factory=dict)
    task: str = ''

    def figure(self, name: str) -> float:
        """Look up a figure.

        Args:
            name: How its name ends: ``mAP`` for that of the task, or with a
                part before it, ``detection/ap``, for one that no task has.

        Raises:
            DataError: If there is none, or more than one.
        """
        end = f'/{self.task}/{name}' if self.task and '/' not in name else f'/{name}'
        found = [value for key, value in self.figures.items() if f'/{key}'.endswith(end)]
        if len(found) != 1:
            raise DataError(
                f'run {self.row}/seed_{self.seed} must have one figure that ends in {end}, but '
                f'has {len(found)} of {sorted(self.figures)}'
            )
        return found[0]


@dataclass(frozen=True)
class Slices:
    """Names of the bins of heights or of ratios, and where their figures are.

    Attributes:
        field: Of :class:`QueryFigures`, ``by_height`` or ``by_ratio``.
        edges: Where the second and later bins begin.
        names: Of the bins.
    """

    field: str
    edges: tuple[float, ...]
    names: tuple[str, ...]


def slices_of(runs: Sequence[Trained], field: str) -> Slices:
    """Name the bins of some runs.

    Args:
        runs: One at least.
        field: ``by_height`` or ``by_ratio``.

    Returns:
        The bins that all runs have.

    Raises:
        DataError: If runs have different ones.
    """
    ratio = field == 'by_ratio'
    found = {tuple((r.queries.ratio_edges if ratio else r.queries.edges).tolist()) for r in runs}
    if len(found) != 1:
        raise DataError(f'the runs must have the same bins of {field}, but have {sorted(found)}')
    (edges,) = found
    unit, bounds = ('' if ratio else ' px'), [0.0, *edges, np.inf]
    names = tuple(bin_name(low, high, unit) for low, high in zip(bounds, bounds[1:]))
    return Slices(field, edges, names)


def bin_name(low: float, high: float, unit: str) -> str:
    """Name a bin by its bounds.

    Args:
        low: Least value; 0 for none.
        high: The bin ends before this value; infinity for the last.
        unit: Behind a bound.

    Example:
        >>> bin_name(0, 64, ' px'), bin_name(64, 128, ' px'), bin_name(128, float('inf'), '')
        ('below 64 px', '64 to 128 px', '128 and more')
    """
    if np.isinf(high):
        return f'{low:g}{unit} and more'
    return f'below {high:g}{unit}' if low == 0 else f'{low:g} to {high:g}{unit}'


def by_row(runs: Sequence[Trained]) -> dict[str, dict[int, Trained]]:
    """Sort runs by row and seed, in the order that they come in."""
    rows: dict[str, dict[int, Trained]] = {}
    for run in runs:
        rows.setdefault(run.row, {})[run.seed] = run
    return rows


def _precisions(run: Trained, slices: Slices | None, place: int) -> np.ndarray:
    """Give the average precisions (Q,) of a run, or those on a bin of matches."""
    if slices is None:
        return run.queries.average_precisions
    values: np.ndarray = getattr(run.queries, slices.field)[place]
    return values


def row_precisions(
    runs: Sequence[Trained], row: str, slices: Slices | None = None, place: int = 0
) -> list[np.ndarray]:
    """Give what counts of the average precisions of a row.

    Args:
        runs: All runs.
        row: Name of the row.
        slices: Bins, for the matches of one bin alone; None for all matches.
        place: Of the bin.

    Returns:
        For each seed, an array of the queries that count, maybe empty. The
        mean over all of them together is the row's mAP, also where seeds have
        queries of their own.
    """
    found = [_precisions(run, slices, place) for run in runs if run.row == row]
    return [values[np.isfinite(values)] for values in found]


def compare_rows(
    runs: Sequence[Trained],
    against: Mapping[str, str],
    slices: Slices | None = None,
    place: int = 0,
    flips: int = 9999,
) -> dict[str, PairedDifference]:
    """Compare rows with others, over the seeds that both have.

    Seeds whose runs have the same queries are crossed with them; seeds with
    other queries, as where a seed is a fold, have people of their own, however
    they are numbered. See :func:`compare_pairs`.

    Args:
        runs: All runs.
        against: Name of a row to the name of the row that it is compared with.
        slices: Bins, to compare on the matches of one; None for all matches.
        place: Of the bin.
        flips: Of :func:`sign_flip_p`; p cannot be below one of so many.

    Returns:
        A comparison for each row of ``against`` that shares a seed with its
        counterpart, in that order.

    Raises:
        DataError: If two runs of one seed were tested with different queries.
    """
    rows, found = by_row(runs), {}
    for name, other in against.items():
        ours, theirs = rows.get(name, {}), rows.get(other, {})
        pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
        if pairs:
            found[name] = _compare(pairs, slices, place, flips)
    return found


def _compare(
    pairs: Sequence[tuple[Trained, Trained]], slices: Slices | None, place: int, flips: int
) -> PairedDifference:
    """Lay the queries of all seeds side by side, those of the same fold once."""
    for ours, theirs in pairs:
        if not _same_queries(ours.queries, theirs.queries):
            raise DataError(
                f'the runs {ours.row}/seed_{ours.seed} and {theirs.row}/seed_{theirs.seed} '
                'must have the same queries to be compared, but have different queries'
            )
    folds: list[QueryFigures] = []
    fold_of = []
    for _, theirs in pairs:
        same = [k for k, fold in enumerate(folds) if _same_fold(fold, theirs.queries)]
        fold_of.append(same[0] if same else len(folds))
        if not same:
            folds.append(theirs.queries)
    counts = [len(fold.query_ids) for fold in folds]
    starts = np.concatenate([[0], np.cumsum(counts)])
    people = np.concatenate(
        [np.stack([np.full_like(f.person_ids, k), f.person_ids], 1) for k, f in enumerate(folds)]
    )
    values = np.full((2, len(pairs), starts[-1]), np.nan)
    tested = np.zeros((len(pairs), starts[-1]), bool)
    for row, (pair, fold) in enumerate(zip(pairs, fold_of)):
        columns = slice(starts[fold], starts[fold + 1])
        values[:, row, columns] = [_precisions(run, slices, place) for run in pair]
        tested[row, columns] = True
    _, owners = np.unique(people, axis=0, return_inverse=True)
    return compare_pairs(values[0], values[1], owners.reshape(-1), tested, flips)


def _same_queries(one: QueryFigures, other: QueryFigures) -> bool:
    return np.array_equal(one.query_ids, other.query_ids) and np.array_equal(
        one.person_ids, other.person_ids
    )


def _same_fold(one: QueryFigures, other: QueryFigures) -> bool:
    """Tell whether two seeds search the same; folds may number queries and people alike.

    Then the heights of the matches, which all models share, tell them apart.
    """
    if not _same_queries(one, other):
        return False
    # Whether a query counts may depend on the model.
    both = np.isfinite(one.average_precisions) & np.isfinite(other.average_precisions)
    bins = [(one.by_height, other.by_height), (one.by_ratio, other.by_ratio)]
    return all(
        np.array_equal(np.isfinite(ours[:, both]), np.isfinite(theirs[:, both]))
        for ours, theirs in bins
    )
