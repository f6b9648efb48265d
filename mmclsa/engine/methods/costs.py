"""What methods cost, side by side on the same pictures."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmclsa.engine.cost import alternate
from mmclsa.engine.methods.entries import Method
from mmclsa.engine.methods.failing import one_failure
from mmclsa.engine.methods.operations import count_operations
from mmclsa.engine.methods.peak import measure_memory
from mmclsa.engine.methods.prediction import (
    Predictor,
    count_parameters,
    load_predictor,
    read_pictures,
)
from mmclsa.utils.io import write_json

__all__ = ['measure_costs']


def measure_costs(
    methods: Sequence[Method],
    out: str | Path,
    pictures: int,
    repeats: int,
    device: str,
    threads: int,
    failed: dict[str, str],
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure the first run of each method, unless just that was measured.

    Args:
        methods: Those with weights; what is measured together is timed in
            turn, so that other load on the machine affects all equally.
        out: Folder; ``costs.json`` in it keeps the result.
        pictures: Pictures of the test set, one by one.
        repeats: Rounds of the clock.
        device: PyTorch's name of it.
        threads: Threads of PyTorch on a CPU.
        failed: Takes a sentence, by name, of each method that fails; its cost
            is left out.
        report: Takes a line for each method.

    Returns:
        ``setting``, how it was measured, and ``methods``, by name:
        ``parameters`` (:func:`~mmclsa.engine.methods.prediction.count_parameters`),
        ``flops`` (mean of the pictures; see
        :class:`~mmclsa.engine.methods.operations.Operations`), ``people``
        described a picture, ``size`` of the picture (height, width), ``ms`` a
        picture (``median``, ``low``, ``high`` of the rounds) and ``mib`` of
        memory. Not in it is the time to read and to resize a picture.
    """
    out, kept = Path(out), Path(out) / 'costs.json'
    asked = dict(pictures=pictures, repeats=repeats, device=device, threads=threads)
    stamp = [repr(asked), *sorted(f'{m.name} {m.runs[0].stamp}' for m in methods)]
    found = json.loads(kept.read_text()) if kept.is_file() else {}
    if found.get('stamp') == stamp:
        return {name: found[name] for name in ('setting', 'methods')}
    torch.set_num_threads(threads)
    costs: dict[str, dict[str, Any]] = {}
    ready: dict[str, Predictor] = {}
    before = len(failed)
    for method in methods:
        report(f'{method.name}: parameters, FLOPs, memory')
        with one_failure(method.name, failed):
            ready[method.name], costs[method.name] = _measure_one(method, out, asked)
    report(f'{repeats} rounds of {pictures} pictures')
    for name, times in _milliseconds(ready, repeats, torch.device(device)).items():
        costs[name]['ms'] = times
    setting = dict(**asked, cores=os.cpu_count(), torch=torch.__version__)
    setting['load'] = round(os.getloadavg()[0], 1)
    if torch.device(device).type == 'cuda':
        setting['gpu'] = torch.cuda.get_device_name(device)
    result = dict(setting=setting, methods=costs)
    if len(failed) == before:
        write_json(kept, dict(stamp=stamp, **result), indent=1)
    return result


def _measure_one(
    method: Method, out: Path, asked: Mapping[str, Any]
) -> tuple[Predictor, dict[str, Any]]:
    run, where = method.runs[0], {name: asked[name] for name in ('pictures', 'device', 'threads')}
    mib = measure_memory(run.cfg, run.weights, out / 'methods' / method.name, **where)
    seen = read_pictures(run.cfg, asked['pictures'])
    predictor = load_predictor(run.cfg, run.weights, seen, torch.device(asked['device']))
    return predictor, {**_counted(predictor), 'mib': mib}


def _counted(predictor: Predictor) -> dict[str, Any]:
    """Count what does not depend on the machine: means over the pictures."""
    people = predictor.predict_all()
    found = dict(
        parameters=dict(count_parameters(predictor.model)),
        people=statistics.mean(people),
        size=[round(side, 1) for side in predictor.pictures.size],
        flops=None,
    )
    try:
        counts = [count_operations(predictor, place) for place in range(len(people))]
    # Whatever a trace of some other library's operation may raise; all else can be measured.
    except Exception as error:
        found['flops_failed'] = f'they could not be traced ({" ".join(str(error).split())[:200]})'
        return found
    found['flops'] = dict(
        total=statistics.mean(one.total for one in counts),
        detector=statistics.mean(one.detector for one in counts),
        not_counted=sorted({name for one in counts for name in one.not_counted}),
    )
    return found


def _milliseconds(
    predictors: Mapping[str, Predictor], repeats: int, device: torch.device
) -> dict[str, dict[str, float]]:
    rounds = alternate([one.predict_all for one in predictors.values()], repeats, device)
    found = {}
    for (name, predictor), seconds in zip(predictors.items(), rounds):
        each = [1000 * value / len(predictor.pictures.batches) for value in seconds]
        found[name] = dict(median=statistics.median(each), low=min(each), high=max(each))
    return found
