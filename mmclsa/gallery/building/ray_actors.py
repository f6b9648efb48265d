"""One build on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.gallery.building.pipeline import InProcess
from mmclsa.gallery.building.progress import Advance
from mmclsa.gallery.building.spool import pack_results, unpack_results
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Plan, Unit, split_units
from mmclsa.utils.optional import import_optional

__all__ = ['RayActors']

# Ray reads and moves the units in tasks of their own, which need a share of the processors too:
# actors that take them whole would starve these tasks, and nothing would ever move.
CPUS_OF_AN_ACTOR = 0.5
_PICTURES_OF_A_BUNDLE = 200


@dataclass(frozen=True)
class RayActors:
    """A pool of actors finds the people; their results come back through Ray.

    The work of a lost actor is done again by another, as often as it takes. If
    the process that writes the index is lost, what it has committed stays.
    Every node must see the sources under the same paths.

    Attributes:
        make_own: Loads the model, in every actor.
        address: Of the cluster; ``local`` starts one on this machine.
        num_actors: How many there are.
        gpus: Of an actor; a fraction shares one.

    Raises:
        ConfigError: If there is to be no actor.
        UserError: If Ray is not installed.
    """

    make_own: Callable[[], InProcess]
    address: str = 'local'
    num_actors: int = 2
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.num_actors < 1:
            raise ConfigError(
                f'the number of models on Ray must be at least 1, not {self.num_actors}'
            )
        import_optional('ray.data', 'ray')

    def results(self, plan: Plan, advance: Advance) -> Generator[UnitResult, None, None]:
        """Give the results as they come; see :class:`Workers`."""
        if not plan.units:
            return
        bundles = split_units(plan.units, ceil(plan.num_pictures / _PICTURES_OF_A_BUNDLE) or 1)
        with _cluster(self.address):
            for row in self._rows(bundles):
                for result in unpack_results(row['results']):
                    advance(result.num_pictures)
                    yield result

    def _rows(self, bundles: Sequence[Sequence[Unit]]) -> Iterator[dict[str, Any]]:
        """Set up the work; rows of packed results, as they come."""
        data = import_optional('ray.data', 'ray')
        data.DataContext.get_current().enable_progress_bars = False
        numbers = [{'bundle': n} for n in range(len(bundles))]
        rows: Iterator[dict[str, Any]] = (
            data.from_items(numbers, override_num_blocks=len(bundles))
            .map_batches(
                _Actor,
                fn_constructor_args=(self.make_own, bundles),
                batch_size=1,
                compute=data.ActorPoolStrategy(size=self.num_actors),
                num_cpus=CPUS_OF_AN_ACTOR,
                num_gpus=self.gpus,
            )
            .iter_rows()
        )
        return rows


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Use a cluster, and leave it again unless somebody has joined one before."""
    ray = import_optional('ray', 'ray')
    if ray.is_initialized():
        yield
        return
    joined = None if address == 'local' else address
    ray.init(address=joined, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


class _Actor:
    """A model, and the bundles that may be asked for by number."""

    def __init__(
        self, make_own: Callable[[], InProcess], bundles: Sequence[Sequence[Unit]]
    ) -> None:
        self.own = make_own()
        self.bundles = bundles

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        (number,) = batch['bundle'].tolist()
        packed = pack_results(list(self.own.results(Plan(self.bundles[number]))))
        return {'results': np.array([packed], dtype=object)}
