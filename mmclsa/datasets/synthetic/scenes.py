"""Synthetic scenes: planned and drawn from numbers alone, without state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmclsa.datasets.synthetic.capture import blur_at_random, relight
from mmclsa.datasets.synthetic.people import (
    Appearance,
    Figure,
    draw_appearance,
    draw_lookalike,
    draw_pose,
    make_figure,
)

__all__ = ['PlannedPerson', 'ScenePlan', 'SceneSettings', 'draw_scene', 'plan_scene']

# First part of the seed: what a scene holds, how its background looks, its
# passers-by and its camera are drawn from random numbers of their own.
_PLAN, _BACKGROUND, _PASSERS_BY, _CAMERA = 2, 3, 4, 7
_SHIFT = 4  # fractional bits of coordinates for OpenCV
_TRIES = 30


@dataclass(frozen=True)
class SceneSettings:
    """What all scenes of a data set have in common.

    ``width`` and ``height`` are the ``img_size`` of ``SyntheticPersonSearch``, in
    pixels, and ``people`` its ``people_per_scene``; all else has its argument's name.
    """

    width: int = 256
    height: int = 192
    num_identities: int = 80
    first_identity: int = 0
    people: tuple[int, int] = (2, 5)
    person_height: tuple[float, float] = (0.125, 0.92)
    unlabelled: float = 0.1
    occlusion: float = 0.2
    overlap: float = 0.15
    lookalikes: int = 1
    light: float = 0.0
    blur: float = 0.0
    seed: int = 0
    population_seed: int = 0


@dataclass(frozen=True)
class PlannedPerson:
    """A person in a scene.

    ``person_id`` is the number in the population, -1 for a passer-by; ``box``
    is x1 y1 x2 y2 in pixels, that of the whole person even where something
    hides a part; ``occluder`` is the box of what does, or None.
    """

    person_id: int
    figure: Figure
    box: tuple[float, float, float, float]
    occluder: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class ScenePlan:
    """All that :func:`draw_scene` needs; people from far to near."""

    index: int
    settings: SceneSettings
    people: tuple[PlannedPerson, ...]


def plan_scene(settings: SceneSettings, index: int) -> ScenePlan:
    """Choose the people of a scene and their places, without drawing.

    Scene ``index`` has person ``index % num_identities`` and others at
    random, so that every identity is there in every ``num_identities`` scenes.

    Args:
        settings: Of the data set.
        index: Number of the scene, not negative; with the settings' seed it
            fixes everything.

    Returns:
        The plan; boxes lie in the picture and overlap by ``overlap`` at most.

    Example:
        >>> plan = plan_scene(SceneSettings(), 5)
        >>> 5 in [person.person_id for person in plan.people]
        True
    """
    rng = np.random.default_rng((_PLAN, settings.seed, index))
    people: list[PlannedPerson] = []
    for number, person_id in enumerate(_cast(settings, index, rng)):
        if person_id < 0:
            unique = index * (settings.people[1] + 1) + number
            seed = (_PASSERS_BY << 32) + settings.seed
            looks = draw_appearance(seed, unique)
        else:
            looks = draw_lookalike(settings.population_seed, person_id, settings.lookalikes)
        placed = _place(settings, person_id, looks, people, rng)
        if placed is not None:
            people.append(placed)
    people.sort(key=lambda person: person.box[3])
    return ScenePlan(index, settings, tuple(people))


def draw_scene(plan: ScenePlan, without: Sequence[int] = ()) -> np.ndarray:
    """Draw a scene.

    Args:
        plan: The plan.
        without: Positions in ``plan.people`` of people to leave out, with
            what hides them; all else is drawn as ever.

    Returns:
        Shape (height, width, 3), uint8, BGR; the same for the same plan.

    Example:
        >>> draw_scene(plan_scene(SceneSettings(), 5)).shape
        (192, 256, 3)
    """
    settings = plan.settings
    rng = np.random.default_rng((_BACKGROUND, settings.seed, plan.index))
    picture = _background(settings, rng)
    colours = rng.integers(60, 150, (len(plan.people), 3))
    for number, (person, colour) in enumerate(zip(plan.people, colours)):
        if number in without:
            continue
        _draw_figure(picture, person)
        if person.occluder is not None:
            x1, y1, x2, y2 = (round(value) for value in person.occluder)
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), [int(c) for c in colour], -1)
    lit = _light(picture, rng)
    if settings.light == 0 and settings.blur == 0:
        return lit
    camera = np.random.default_rng((_CAMERA, settings.seed, plan.index))
    return blur_at_random(relight(lit, settings.light, camera), settings.blur, camera)


def _cast(settings: SceneSettings, index: int, rng: np.random.Generator) -> list[int]:
    """Choose who is in a scene: numbers in the population, -1 for passers-by."""
    count = int(rng.integers(settings.people[0], settings.people[1] + 1))
    first = index % settings.num_identities
    others = rng.permutation(settings.num_identities)
    cast = [first, *others[others != first][: max(count - 1, 0)].tolist()]
    strangers = rng.random(len(cast)) < settings.unlabelled
    return [
        -1 if number and stranger else settings.first_identity + int(person)
        for number, (person, stranger) in enumerate(zip(cast, strangers))
    ]


def _place(
    settings: SceneSettings,
    person_id: int,
    looks: Appearance,
    others: list[PlannedPerson],
    rng: np.random.Generator,
) -> PlannedPerson | None:
    """Find room for a person; None when there is none (never for the first)."""
    figure = make_figure(looks, draw_pose(rng))
    low, high = np.log(settings.person_height)
    for _ in range(_TRIES):
        height = settings.height * float(np.exp(rng.uniform(low, high)))
        height = min(height, 0.95 * settings.width / figure.aspect)
        width = height * figure.aspect
        x = float(rng.uniform(0, settings.width - width))
        y = float(rng.uniform(0, settings.height - height))
        box = (x, y, x + width, y + height)
        if all(_covered(box, other.box) < settings.overlap for other in others):
            occluder = _occluder(box, rng) if rng.random() < settings.occlusion else None
            return PlannedPerson(person_id, figure, box, occluder)
        high = max(low, high - 0.05)  # a smaller person finds room more easily
    return None


def _covered(a: Sequence[float], b: Sequence[float]) -> float:
    """Give the overlap of two boxes as a share of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    area = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(width, 0.0) * max(height, 0.0) / area


def _occluder(
    box: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Hide the feet or one side of a person: at most three tenths of the box."""
    x1, y1, x2, y2 = box
    share = float(rng.uniform(0.12, 0.3))
    kind = int(rng.integers(3))
    if kind == 0:
        return x1, y2 - share * (y2 - y1), x2, y2
    if kind == 1:
        return x1, y1, x1 + share * (x2 - x1), y2
    return x2 - share * (x2 - x1), y1, x2, y2


def _draw_figure(picture: np.ndarray, person: PlannedPerson) -> None:
    """Draw a person; polygons are filled up to the border of their box."""
    x1, y1, x2, y2 = person.box
    # A pixel's centre is at its index for OpenCV, and at index + 0.5 for boxes.
    scale = np.array([(x2 - x1 - 1) / person.figure.aspect, y2 - y1 - 1])
    for colour, polygon in zip(person.figure.colours, person.figure.polygons):
        points = np.rint((polygon * scale + (x1, y1)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, _SHIFT)


def _background(settings: SceneSettings, rng: np.random.Generator) -> np.ndarray:
    """Draw a wall, a floor and clutter between them."""
    width, height = settings.width, settings.height
    horizon = int(height * rng.uniform(0.3, 0.6))
    picture = np.empty((height, width, 3), np.uint8)
    wall, floor = _dull(rng), _dull(rng)
    shade = np.linspace(-22, 22, height)[:, None, None]
    base = np.where(np.arange(height)[:, None, None] < horizon, wall, floor)
    picture[:] = np.clip(base + shade, 0, 255).astype(np.uint8)
    reach = max(width, height)
    for _ in range(int(rng.integers(14, 28))):
        colour = _dull(rng).tolist()
        x, y = int(rng.integers(width)), int(rng.integers(height))
        a, b = (int(v) for v in np.exp(rng.uniform(np.log(0.02), np.log(0.25), 2)) * reach)
        kind = int(rng.integers(5))
        if kind == 0:
            cv2.rectangle(picture, (x, y), (x + a, y + b), colour, -1)
        elif kind == 1:
            cv2.ellipse(picture, (x, y), (a // 2 + 1, b // 2 + 1), 0, 0, 360, colour, -1)
        elif kind == 2:
            cv2.line(picture, (x, y), (x + 2 * a, y - b), colour, 1 + reach // 128, cv2.LINE_AA)
        elif kind == 3:
            points = np.array([(x, y), (x + a, y + b // 2), (x - a // 2, y + b)], np.int32)
            cv2.fillPoly(picture, [points], colour, cv2.LINE_AA)
        else:
            step = max(3, a // 4)
            for column in range(x, x + a, step):
                cv2.rectangle(picture, (column, y), (column + step // 2, y + b), colour, -1)
    return picture


def _dull(rng: np.random.Generator) -> np.ndarray:
    """Draw a colour of the surroundings: duller than most clothes."""
    grey = rng.uniform(50, 215)
    return np.clip(grey + rng.uniform(-28, 28, 3), 0, 255).round()


def _light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the brightness, the tint and the contrast; add sensor noise."""
    gain = rng.uniform(0.75, 1.15) * rng.uniform(0.95, 1.05, 3)
    gamma = rng.uniform(0.88, 1.14)
    levels = 255 * (np.arange(256) / 255) ** gamma
    table = np.clip(levels[:, None] * gain, 0, 255).astype(np.uint8)[None]
    # One byte a value makes noise of about 3 grey levels cheaply.
    noise = np.frombuffer(rng.bytes(picture.size), np.uint8).reshape(picture.shape) & 7
    lit = cv2.LUT(picture, table)
    return cv2.subtract(cv2.add(lit, noise), np.full_like(lit, 4))
