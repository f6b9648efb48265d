"""Units of work in, described people out: decoding beside the network, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmclsa.gallery.building.embedder import PROBE, Embedder
from mmclsa.gallery.building.prefetch import run_ahead
from mmclsa.gallery.building.progress import Advance
from mmclsa.gallery.building.reading import Failed, Ready, UnitReader
from mmclsa.gallery.building.tracking import link_tracks
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit
from mmclsa.structures import FoundPeople
from mmclsa.utils.errors import reason_of

__all__ = ['InProcess', 'UnitResult']


@dataclass(frozen=True, eq=False)
class UnitResult:
    """All that a unit gave.

    Attributes:
        unit: The unit.
        num_pictures: Pictures that went through the network.
        problem: What could not be read; empty if all could.
        frames: Frame of each person, shape (n,), int64.
        times: Time of each person, shape (n,), float64, NaN = unknown.
        boxes: Shape (n, 4), float32, x1 y1 x2 y2 in pixels.
        scores: Shape (n,), float32.
        embeddings: Shape (n, D), float32; (0, 0) where nobody is.
        track_ids: Shape (n,), int64, from 0 within the unit; -1 in pictures.
        camera: Name of the camera; empty if unknown.
        clock: Where the times are from, one of
            :data:`~mmclsa.gallery.building.reading.CLOCKS`; empty if the command
            says them, or nothing does.
    """

    unit: Unit
    num_pictures: int
    problem: str
    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    track_ids: np.ndarray
    camera: str = ''
    clock: str = ''

    @property
    def done(self) -> bool:
        """Whether the unit need not be tried again: it was read, in part at least."""
        return self.num_pictures > 0 or not self.problem


@dataclass
class _OpenUnit:
    """A unit whose pictures are still on their way."""

    problem: str = ''
    failed: int = 0
    clock: str = ''
    ended: Unit | None = None
    waiting: int = 0
    seen: list[tuple[int, float, FoundPeople]] = field(default_factory=list)

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
    """

    embedder: Embedder
    options: SourceOptions = field(default_factory=SourceOptions)
    batch_size: int = 8
    threads: int = 2

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
        for event in run_ahead(reader.calls(plan.units), self.threads, ahead=2 * self.batch_size):
            if current is None:
                current = _OpenUnit()
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
                unit.seen.append((ready.frame, ready.time, found))
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
    seen = opened.seen
    counts = [len(found.scores) for _, _, found in seen]
    frames = np.repeat(np.array([frame for frame, _, _ in seen], np.int64), counts)
    boxes = _join([found.boxes for _, _, found in seen], 4)
    embeddings = _join([found.embeddings for _, _, found in seen if len(found.scores)], 0)
    more = f', nor {opened.failed - 1} more of its frames'
    return UnitResult(
        unit=unit,
        num_pictures=len(seen),
        problem=opened.problem + more * (opened.failed > 1),
        frames=frames,
        times=np.repeat(np.array([time for _, time, _ in seen], np.float64), counts),
        boxes=boxes,
        scores=np.concatenate([np.zeros(0, np.float32), *(found.scores for _, _, found in seen)]),
        embeddings=embeddings,
        track_ids=link_tracks(frames, boxes, embeddings)
        if unit.is_video
        else np.full(len(frames), -1, np.int64),
        camera=unit.camera or camera,
        clock=opened.clock,
    )


def _join(parts: Sequence[np.ndarray], columns: int) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, columns), np.float32)
