"""The report of methods side by side as tables, for a terminal and for a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable

from mmclsa.evaluation.comparison import bin_name
from mmclsa.evaluation.comparison_tables import p_text

__all__ = ['methods_notes', 'methods_tables']

Report = Mapping[str, Any]
Lines = list[list[str]]
#: Title of a column of the main table, and how a method's cost is written.
COSTS: Mapping[str, Callable[[Any], str]] = {
    'parameters, M': lambda cost: f'{cost["parameters"]["total"] / 1e6:.2f}',
    'GFLOPs': lambda cost: f'{cost["flops"]["total"] / 1e9:.2f}' if cost['flops'] else '-',
    'people': lambda cost: f'{cost["people"]:.1f}',
    'ms': lambda cost: '{median:.1f} ({low:.1f} to {high:.1f})'.format(**cost['ms']),
    'memory, MiB': lambda cost: f'{cost["mib"]:.0f}',
}
NOTHING_COUNTED = 'nothing of its re-ID branch could be counted (ONNX Runtime?)'


def methods_tables(report: Report, markdown: bool = False) -> str:
    """Write the tables of a report.

    Args:
        report: Of :func:`~mmclsa.evaluation.methods.methods_report`.
        markdown: Write for a document; else for a terminal.

    Returns:
        Accuracy and cost of each method on the first protocol; mAP and top-1
        on the others, if there are any; mAP by height of the match; every two
        methods compared; notes. Percent, means over the runs and their range.
    """
    first, *others = report['protocols']
    tables = [(_title(first), _main(report, first['name']))]
    if others:
        tables.append(('mAP / top-1 by protocol', _by_protocol(report)))
    tables.append((f'mAP by height of the match, {first["name"]}', _heights(report, first['name'])))
    if report['pairs']:
        tables.append((f'difference of mAP, {first["name"]}', _pairs(report, first['name'])))
    kind = GithubFlavoredMarkdownTable if markdown else AsciiTable
    parts = []
    for title, lines in tables:
        table = kind(lines)
        if not markdown:
            table.title = title
        parts.append(f'{title}:\n\n{table.table}' if markdown else table.table)
    mark = '- ' if markdown else ''
    parts.append('\n'.join(mark + note for note in methods_notes(report)))
    return ('\n\n' if markdown else '\n').join(parts)


def _title(protocol: Mapping[str, Any]) -> str:
    return (
        f'{protocol["name"]}: {protocol["queries"]} queries, '
        f'{protocol["gallery_size"]:.0f} images in a gallery'
    )


def _percent(spread: Mapping[str, float]) -> str:
    mean, low, high = (100 * spread[name] for name in ('mean', 'low', 'high'))
    return f'{mean:.1f}' if low == high else f'{mean:.1f} ({low:.1f} to {high:.1f})'


def _main(report: Report, protocol: str) -> Lines:
    figures = {
        'detection recall': 'detection/recall',
        'detection AP': 'detection/ap',
        'mAP': f'{protocol}/mAP',
        'top-1': f'{protocol}/top1',
    }
    measured = any(method['cost'] for method in report['methods'].values())
    columns = COSTS if measured else {}
    lines = [['method', 'runs', *figures, *columns]]
    for name, method in report['methods'].items():
        shown = [_percent(method['figures'][figure]) for figure in figures.values()]
        cost = method['cost']
        costs = [write(cost) if cost else '-' for write in columns.values()]
        lines.append([name, str(len(method['runs'])), *shown, *costs])
    return lines


def _by_protocol(report: Report) -> Lines:
    names = [protocol['name'] for protocol in report['protocols']]
    lines = [['method', *names]]
    for name, method in report['methods'].items():
        means = {key: 100 * spread['mean'] for key, spread in method['figures'].items()}
        cells = [f'{means[f"{task}/mAP"]:.1f} / {means[f"{task}/top1"]:.1f}' for task in names]
        lines.append([name, *cells])
    return lines


def _heights(report: Report, protocol: str) -> Lines:
    rows = {name: method['by_height'][protocol] for name, method in report['methods'].items()}
    first = next(iter(rows.values()))
    kept = [place for place, found in enumerate(first) if found['queries']]
    lines = [['method']]
    for place in kept:
        high = float('inf') if first[place]['high'] is None else first[place]['high']
        lines[0].append(bin_name(first[place]['low'], high, ' px'))
    for name, bins in rows.items():
        lines.append([name, *(_of_bin(bins[place]['mAP']) for place in kept)])
    lines.append(['queries', *(str(first[place]['queries']) for place in kept)])
    return lines


def _of_bin(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return '-'
    return _percent(dict(mean=sum(known) / len(known), low=min(known), high=max(known)))


def _pairs(report: Report, protocol: str) -> Lines:
    lines = [['method', 'less', 'difference', 'each run', 'p (people)', 'p (people, trainings)']]
    for pair in report['pairs']:
        if pair['protocol'] != protocol:
            continue
        both = pair['p_both_holm']
        lines.append(
            [
                pair['one'],
                pair['other'],
                f'{100 * pair["mean"]:+.1f}',
                ' '.join('-' if v is None else f'{100 * v:+.1f}' for v in pair['per_seed']),
                p_text(pair['p_queries_holm']),
                '-' if both is None else p_text(both),
            ]
        )
    return lines


def methods_notes(report: Report) -> list[str]:
    """Say how the figures of a report came about, and what they leave out.

    Args:
        report: Of :func:`~mmclsa.evaluation.methods.methods_report`.
    """
    notes = []
    if report['pairs']:
        notes.append(
            'p: paired tests over the queries, those of one person together, corrected by Holm for '
            'all pairs; "people" takes these trainings as given, "people, trainings" needs two '
            'runs at least; the k-th run of a method is compared with the k-th of the other'
        )
    return [*notes, *_search_notes(report), *_cost_notes(report)]


def _search_notes(report: Report) -> list[str]:
    """Name the flags that methods do not share, and those that search the ground truth."""
    flags = {name: method['flags'] for name, method in report['methods'].items()}
    known = dict.fromkeys(flag for own in flags.values() for flag in own)
    notes = []
    for flag in known:
        values = {name: own.get(flag) for name, own in flags.items()}
        if len({repr(value) for value in values.values()}) > 1:
            said = ', '.join(f'{value} with {name}' for name, value in values.items())
            notes.append(f'{flag}: {said}')
    bound = [
        name
        for name, method in report['methods'].items()
        if any(run.get('boxes') == 'ground truth' for run in method['runs'])
    ]
    if bound:
        notes.append(f'ground-truth boxes in place of detections: {", ".join(bound)}')
    return notes


def _cost_notes(report: Report) -> list[str]:
    setting = report['setting']
    costs = {n: m['cost'] for n, m in report['methods'].items() if m['cost']}
    if not setting or not costs:
        return []
    sizes = {'{:g} x {:g}'.format(*cost['size']) for cost in costs.values()}
    gpu = setting.get('gpu')
    where = gpu or f'CPU, {setting["threads"]} of {setting["cores"]} cores'
    clock = 'wall time' if gpu else 'CPU time'
    memory = (
        "peak of PyTorch's allocations" if gpu else 'peak of the process, without its libraries'
    )
    counts = [cost['flops'] for cost in costs.values() if cost['flops']]
    missing = sorted({name for one in counts for name in one['not_counted']})
    seen = (
        f'cost: mean of {setting["pictures"]} pictures of the test set, one by one, as the network '
        f'sees them ({", ".join(sorted(sizes))} pixels), with the people that are detected and '
        f'described in one; {where}, load {setting["load"]}, PyTorch {setting["torch"]}'
    )
    timed = (
        f'ms: {clock} from the resized picture to embeddings, methods in turn, median and range of '
        f'{setting["repeats"]} rounds; memory: {memory}'
    )
    counted = (
        "GFLOPs: by MMEngine's analysis, a multiply-add is one; not counted: element-wise "
        f'operations, sorting{"".join(", " + name for name in missing)}'
    )
    notes = [seen, timed, counted]
    for name, cost in costs.items():
        if not cost['flops']:
            notes.append(f'GFLOPs of {name}: {cost["flops_failed"]}')
        elif cost['parameters']['detector'] and cost['flops']['total'] == cost['flops']['detector']:
            notes.append(f'GFLOPs of {name}: {NOTHING_COUNTED}')
    return notes
