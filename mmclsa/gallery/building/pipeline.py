"""Units of work in, described people out: decoding beside the network, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.gallery.building.embedder import PROBE, Embedder
from mmclsa.gallery.building.gathering import Gathering
from mmclsa.gallery.building.prefetch import run_ahead
from mmclsa.gallery.building.progress import Advance
from mmclsa.gallery.building.reading import Event, Failed, Ready, UnitReader
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit
from mmclsa.structures import FoundPeople
from mmclsa.utils.errors import reason_of

__all__ = ['InProcess', 'UnitResult']

_MAX_AHEAD = 1 << 28  # bytes of pictures that are ready before the network asks for them


@dataclass
class _OpenUnit:
    """A unit whose pictures are still on their way."""

    people: Gathering
    problem: str = ''
    failed: int = 0
    clock: str = ''
    ended: Unit | None = None
    waiting: int = 0

    def fail(self, reason: str) -> None:
        """Note what could not be used; the first reason stands for all."""
        self.problem = self.problem or reason
        self.failed += 1


@dataclass(frozen=True)
class InProcess:
    """This process finds and describes the people itself.

    Decoding and preparing run in threads while the network computes. A batch
    goes over the borders of units; it has pictures of one shape only, so that
    nothing that depends on padding depends on the neighbours.

    Attributes:
        embedder: The model.
        options: Of the sources.
        batch_size: Pictures that go through the network at once, at most.
        threads: That decode pictures and prepare them.

    Raises:
        ConfigError: If either number is below 1.
    """

    embedder: Embedder
    options: SourceOptions = field(default_factory=SourceOptions)
    batch_size: int = 8
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ('batch_size', 'threads'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} must be at least 1, but is {getattr(self, name)}')

    def results(
        self, plan: Plan, advance: Advance | None = None
    ) -> Generator[UnitResult, None, None]:
        """Go through the units of a plan.

        Args:
            plan: What is to be done.
            advance: Told how many pictures have gone through.

        Yields:
            The results, in the order of the units.
        """
        reader = UnitReader(self.embedder, self.options, plan.videos)
        batches = _Batches(self.embedder, self.batch_size, advance)
        opened: deque[_OpenUnit] = deque()
        current = None
        events = run_ahead(
            reader.calls(plan.units), self.threads, 2 * self.batch_size, _weigh, _MAX_AHEAD
        )
        for event in events:
            if current is None:
                current = _OpenUnit(Gathering(self.options))
                opened.append(current)
            if isinstance(event, Ready):
                batches.put(current, event)
            elif isinstance(event, Failed):
                current.fail(event.reason)
            else:
                current.ended = event
                current = None
            while opened and opened[0].ended is not None and not opened[0].waiting:
                yield _close(opened.popleft(), self.options.camera)
        batches.run()
        while opened:
            yield _close(opened.popleft(), self.options.camera)


class _Batches:
    """Gathers pictures of one shape and sends them through the network."""

    def __init__(self, embedder: Embedder, size: int, advance: Advance | None) -> None:
        self.embedder = embedder
        self.size = size
        self.advance = advance
        self.waiting: list[tuple[_OpenUnit, Ready]] = []

    def put(self, unit: _OpenUnit, ready: Ready) -> None:
        """Take a picture; compute when there are enough, or its shape is another."""
        if self.waiting and _shape(self.waiting[0][1]) != _shape(ready):
            self.run()
        unit.waiting += 1
        self.waiting.append((unit, ready))
        if len(self.waiting) >= self.size:
            self.run()

    def run(self) -> None:
        """Compute what is waiting."""
        if not self.waiting:
            return
        for (unit, ready), found in zip(self.waiting, self._find()):
            unit.waiting -= 1
            if isinstance(found, FoundPeople):
                unit.clock = ready.clock
                unit.people.take(ready, found)
            else:
                unit.fail(found)
        if self.advance is not None:
            self.advance(len(self.waiting))
        self.waiting = []

    def _find(self) -> list[FoundPeople | str]:
        """Find the people of each picture, or say why they cannot be found."""
        pictures = [ready for _, ready in self.waiting]
        try:
            people = self.embedder.find_people([ready.data for ready in pictures])
        except Exception:  # one picture never stops a build, nor spoils its neighbours
            return [self._find_alone(ready) for ready in pictures]
        return [_checked(found, ready) for found, ready in zip(people, pictures)]

    def _find_alone(self, ready: Ready) -> FoundPeople | str:
        try:
            (found,) = self.embedder.find_people([ready.data])
        except Exception as error:
            # Raises if it is not the picture.
            self.embedder.find_people([self.embedder.prepare(PROBE)])
            return reason_of(error, ready.name)
        return _checked(found, ready)


def _weigh(event: Event) -> int:
    """Tell the bytes of a picture: for the network, and itself, for the crops."""
    if not isinstance(event, Ready):
        return 0
    kept = 0 if event.picture is None else event.picture.nbytes
    return kept + int(getattr(event.data['inputs'], 'nbytes', 0))


def _checked(found: FoundPeople, ready: Ready) -> FoundPeople | str:
    """Refuse what no index takes."""
    arrays = (found.boxes, found.scores, found.embeddings)
    if all(np.isfinite(array).all() for array in arrays):
        return found
    return f'{ready.name} cannot be used (the model gave numbers for it that are not finite)'


def _shape(ready: Ready) -> tuple[int, ...]:
    return tuple(ready.data['inputs'].shape)


def _close(opened: _OpenUnit, camera: str) -> UnitResult:
    """Gather the people of a unit."""
    unit = opened.ended
    assert unit is not None  # for mypy: only ended units are closed
    rows = opened.people.rows()
    people = rows.people
    more = f', nor {opened.failed - 1} more of its frames'
    return UnitResult(
        unit=unit,
        num_pictures=opened.people.num_pictures,
        problem=opened.problem + more * (opened.failed > 1),
        frames=people.frames,
        times=people.times,
        boxes=people.boxes,
        scores=people.scores,
        embeddings=people.embeddings,
        track_ids=people.tracks,
        camera=unit.camera or camera,
        clock=opened.clock,
        crops=rows.crops,
        behind=rows.behind,
        pairs=rows.pairs,
    )
