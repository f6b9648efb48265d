"""One build on a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building.builder import COMMIT_SECONDS, BuildReport, IndexSink, pending_units
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pipeline import process_units
from mmclsa.gallery.building.spool import pack_results, unpack_results
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit
from mmclsa.utils.optional import import_optional

__all__ = ['build_with_ray']

# Ray reads and moves the units in tasks of their own, which need a share of the processors too:
# actors that take them whole would starve these tasks, and nothing would ever move.
CPUS_OF_AN_ACTOR = 0.5
_PICTURES_OF_A_TASK = 200


def build_with_ray(
    index: GalleryIndex,
    make_embedder: Callable[[], Embedder],
    plan: Plan,
    options: SourceOptions | None = None,
    address: str = 'local',
    num_workers: int = 2,
    batch_size: int = 8,
    gpus: float = 0.0,
    commit_seconds: float = COMMIT_SECONDS,
    on_pictures: Callable[[int], None] | None = None,
) -> BuildReport:
    """Build with a pool of actors; this process writes the index.

    The work of a lost actor is done again by another, as often as it takes. If
    this process is lost, what it has committed stays.

    Args:
        index: Opened for writing, with the embedder's model.
        make_embedder: Makes the model, in every actor.
        plan: The units to go through. Every node must see the sources under
            the same paths.
        options: Of the sources.
        address: Of the cluster; ``local`` starts one on this machine.
        num_workers: Actors.
        batch_size: Pictures that go through the network at once.
        gpus: Of an actor; a fraction shares one.
        commit_seconds: See :func:`build_gallery`.
        on_pictures: Likewise.

    Returns:
        What was done.

    Raises:
        UserError: If Ray is not installed.
    """
    ray = import_optional('ray', 'ray')
    import_optional('ray.data', 'ray')
    began = time.monotonic()
    options = options or SourceOptions()
    sink = IndexSink(index, options.camera, commit_seconds)
    sink.commit()
    units = pending_units(index, plan)
    report = BuildReport(known=len(plan.units) - len(units), skipped=dict(plan.skipped))
    started = not ray.is_initialized()
    if started:
        ray.init(
            address=None if address == 'local' else address,
            include_dashboard=False,
            log_to_driver=False,
        )
    try:
        for row in _results(ray, units, make_embedder, options, num_workers, batch_size, gpus):
            results = unpack_results(row['results'])
            for result in results:
                report.count(result)
                if on_pictures is not None:
                    on_pictures(result.num_pictures)
            sink.take(results)
        sink.close()
    finally:
        if started:
            ray.shutdown()
    report.seconds = time.monotonic() - began
    return report


def _results(
    ray: Any,
    units: Sequence[Unit],
    make_embedder: Callable[[], Embedder],
    options: SourceOptions,
    num_workers: int,
    batch_size: int,
    gpus: float,
) -> Any:
    """Set up the job; rows of packed results, as they come."""
    tasks = _tasks(units)
    if not tasks:
        return []
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return (
        ray.data.from_items(
            [{'task': n} for n in range(len(tasks))], override_num_blocks=len(tasks)
        )
        .map_batches(
            _Worker,
            fn_constructor_args=(make_embedder, tasks, options, batch_size),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=num_workers),
            num_cpus=CPUS_OF_AN_ACTOR,
            num_gpus=gpus,
        )
        .iter_rows()
    )


def _tasks(units: Sequence[Unit]) -> list[list[Unit]]:
    """Gather neighbouring units into tasks of some size."""
    tasks: list[list[Unit]] = []
    room = 0
    for unit in units:
        if room <= 0:
            tasks.append([])
            room = _PICTURES_OF_A_TASK
        tasks[-1].append(unit)
        room -= unit.num_frames
    return tasks


class _Worker:
    """The actor: a model, and what is to be done by number."""

    def __init__(
        self,
        make_embedder: Callable[[], Embedder],
        tasks: list[list[Unit]],
        options: SourceOptions,
        batch_size: int,
    ) -> None:
        self.embedder = make_embedder()
        self.tasks = tasks
        self.options = options
        self.batch_size = batch_size

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        packed = [
            pack_results(
                list(process_units(self.tasks[n], self.embedder, self.options, self.batch_size))
            )
            for n in batch['task'].tolist()
        ]
        return {'results': np.array(packed, dtype=object)}
