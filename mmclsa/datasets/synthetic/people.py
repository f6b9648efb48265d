"""Figures of people for synthetic scenes: coloured polygons, nothing else."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

__all__ = [
    'Appearance',
    'Figure',
    'Pose',
    'draw_appearance',
    'draw_lookalike',
    'draw_pose',
    'make_figure',
]

Colour = tuple[int, int, int]
# First part of the seed: an identity and a scene never share random numbers.
_APPEARANCE = 1
_SKIN = ((222, 184, 158), (198, 150, 118), (150, 106, 76), (104, 70, 50), (236, 204, 182))
_HAIR = ((30, 24, 20), (78, 52, 32), (150, 110, 60), (120, 118, 116), (150, 64, 30))
_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 17)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 17)[:-1])], 1
)


@dataclass(frozen=True)
class Appearance:
    """What makes a person who they are. Colours are BGR, 0..255."""

    skin: Colour
    hair: Colour
    long_hair: bool
    shirt: Colour
    pattern: str  # plain, stripes, hoops, block
    pattern_colour: Colour
    long_sleeves: bool
    legs: Colour
    legwear: str  # trousers, shorts, skirt
    shoes: Colour
    bag: str  # none, handbag, backpack
    bag_colour: Colour
    build: float  # width of the body, about 1


@dataclass(frozen=True)
class Pose:
    """How a person is seen in one scene."""

    turn: float  # apparent width: 1 seen from the front, 0.7 from the side
    back: bool  # seen from behind: no face
    stride: float  # half the distance of the feet, in heights
    arms: tuple[float, float]  # how far the hands are from the hips, in heights
    lean: float  # how far the head is from above the feet, in heights
    mirrored: bool


@dataclass(frozen=True)
class Figure:
    """A person as coloured polygons, back to front.

    ``colours`` are BGR; ``polygons`` have shape (n, 2), x y, scaled so that
    together they just fill x in 0..``aspect`` and y in 0..1 (downwards).
    """

    colours: tuple[Colour, ...]
    polygons: tuple[np.ndarray, ...]
    aspect: float


def draw_appearance(seed: int, person_id: int) -> Appearance:
    """Draw the looks of a person.

    Args:
        seed: Seed of the population, not negative.
        person_id: Number of the person in it, not negative.

    Returns:
        The same for the same arguments, everywhere.

    Example:
        >>> draw_appearance(0, 7) == draw_appearance(0, 7)
        True
        >>> draw_appearance(0, 7) == draw_appearance(0, 8)
        False
    """
    rng = np.random.default_rng((_APPEARANCE, seed, person_id))
    shirt, legs = _cloth(rng), _cloth(rng)
    return Appearance(
        skin=_pick(rng, _SKIN),
        hair=_pick(rng, _HAIR),
        long_hair=bool(rng.random() < 0.5),
        shirt=shirt,
        pattern=str(rng.choice(['plain', 'stripes', 'hoops', 'block'], p=[0.4, 0.2, 0.2, 0.2])),
        pattern_colour=_cloth(rng),
        long_sleeves=bool(rng.random() < 0.6),
        legs=legs,
        legwear=str(rng.choice(['trousers', 'shorts', 'skirt'], p=[0.6, 0.2, 0.2])),
        shoes=_cloth(rng),
        bag=str(rng.choice(['none', 'handbag', 'backpack'], p=[0.5, 0.25, 0.25])),
        bag_colour=_cloth(rng),
        build=float(rng.uniform(0.85, 1.2)),
    )


def draw_lookalike(seed: int, person_id: int, group: int) -> Appearance:
    """Draw the looks of a person who has doubles.

    The people ``k * group`` .. ``k * group + group - 1`` wear the same shirt
    and trousers and are built alike; hair, sleeves, shoes, bag and the second
    colour of the shirt are each one's own.

    Args:
        seed: Seed of the population, not negative.
        person_id: Number of the person in it, not negative.
        group: How many look alike; 1 is :func:`draw_appearance`.

    Returns:
        The same for the same arguments, everywhere.

    Example:
        >>> one, two = draw_lookalike(0, 6, group=3), draw_lookalike(0, 7, group=3)
        >>> one.shirt == two.shirt, one.shoes == two.shoes
        (True, False)
    """
    own = draw_appearance(seed, person_id)
    if person_id % group == 0:
        return own
    return replace(
        draw_appearance(seed, person_id - person_id % group),
        hair=own.hair,
        long_hair=own.long_hair,
        long_sleeves=own.long_sleeves,
        pattern_colour=own.pattern_colour,
        shoes=own.shoes,
        bag=own.bag,
        bag_colour=own.bag_colour,
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose and a view of it."""
    return Pose(
        turn=float(rng.uniform(0.7, 1.0)),
        back=bool(rng.random() < 0.3),
        stride=float(rng.uniform(0.035, 0.1)),
        arms=(float(rng.uniform(0.0, 0.07)), float(rng.uniform(0.0, 0.07))),
        lean=float(rng.uniform(-0.02, 0.02)),
        mirrored=bool(rng.random() < 0.5),
    )


def make_figure(person: Appearance, pose: Pose) -> Figure:
    """Build the figure of a person in a pose.

    Returns:
        The figure, which fills its frame exactly.

    Example:
        >>> figure = make_figure(draw_appearance(0, 7), draw_pose(np.random.default_rng(0)))
        >>> bool(0.2 < figure.aspect < 0.6)
        True
    """
    width = person.build * pose.turn
    parts: list[tuple[Colour, np.ndarray]] = []
    if person.bag == 'backpack' and not pose.back:
        parts.append((person.bag_colour, _box(-0.115 * width, 0.17, 0.115 * width, 0.36)))
    parts += _lower_body(person, pose, width)
    parts += _arms(person, pose, width)
    parts += _torso(person, width)
    if person.bag == 'backpack' and pose.back:
        parts.append((person.bag_colour, _box(-0.08 * width, 0.18, 0.08 * width, 0.4)))
    if person.bag == 'handbag':
        x = 0.1 * width
        parts.append((person.bag_colour, _quad(-x, x - 0.01, 0.16, 0.46, 0.012)))
        parts.append((person.bag_colour, _box(x - 0.03, 0.43, x + 0.07, 0.55)))
    parts += _head(person, pose)
    return _normalise(parts, pose)


def _lower_body(person: Appearance, pose: Pose, width: float) -> list[tuple[Colour, np.ndarray]]:
    hip, thick = 0.04 * width, 0.034 * width
    parts = []
    for side in (-1, 1):
        foot = side * max(pose.stride, hip)
        lower = person.legs if person.legwear == 'trousers' else person.skin
        parts.append((lower, _quad(side * hip, foot, 0.48, 0.965, thick, 0.75 * thick)))
        if person.legwear == 'shorts':
            knee = side * hip + 0.42 * (foot - side * hip)
            parts.append((person.legs, _quad(side * hip, knee, 0.48, 0.69, 1.15 * thick)))
        parts.append((person.shoes, _ellipse(foot + 0.012, 0.975, 0.042, 0.025)))
    if person.legwear == 'skirt':
        parts.append((person.legs, _quad(0, 0, 0.46, 0.74, 0.08 * width, 0.12 * width)))
    else:
        parts.append((person.legs, _box(-0.075 * width, 0.46, 0.075 * width, 0.54)))
    return parts


def _arms(person: Appearance, pose: Pose, width: float) -> list[tuple[Colour, np.ndarray]]:
    parts = []
    for side, spread in zip((-1, 1), pose.arms):
        shoulder, hand = side * 0.105 * width, side * (0.115 * width + spread)
        elbow = 0.5 * (shoulder + hand)
        parts.append((person.skin, _quad(shoulder, hand, 0.18, 0.52, 0.021)))
        end, x = (0.48, hand) if person.long_sleeves else (0.31, elbow)
        parts.append((person.shirt, _quad(shoulder, x, 0.165, end, 0.03, 0.026)))
    return parts


def _torso(person: Appearance, width: float) -> list[tuple[Colour, np.ndarray]]:
    top, bottom = 0.105 * width, 0.085 * width
    parts = [(person.skin, _box(-0.025, 0.11, 0.025, 0.17))]
    parts.append((person.shirt, _quad(0, 0, 0.15, 0.49, top, bottom)))
    second = person.pattern_colour
    if person.pattern == 'hoops':
        bars = [_quad(0, 0, y, y + 0.045, 0.095 * width, 0.09 * width) for y in (0.21, 0.3, 0.39)]
        parts += [(second, bar) for bar in bars]
    elif person.pattern == 'stripes':
        places = (-0.055 * width, 0.0, 0.055 * width)
        parts += [(second, _quad(x, x, 0.16, 0.485, 0.014 * width)) for x in places]
    elif person.pattern == 'block':
        parts.append((second, _quad(0, 0, 0.34, 0.49, 0.092 * width, bottom)))
    return parts


def _head(person: Appearance, pose: Pose) -> list[tuple[Colour, np.ndarray]]:
    x = pose.lean
    parts = []
    if person.long_hair:
        parts.append((person.hair, _ellipse(x, 0.085, 0.058, 0.085)))
    if pose.back:
        return [*parts, (person.hair, _ellipse(x, 0.07, 0.052, 0.068))]
    parts.append((person.hair, _ellipse(x, 0.058, 0.053, 0.057)))
    parts.append((person.skin, _ellipse(x, 0.084, 0.043, 0.054)))
    eyes = [_ellipse(x + side, 0.078, 0.006, 0.006) for side in (-0.017, 0.017)]
    return [*parts, *(((40, 40, 40), eye) for eye in eyes)]


def _normalise(parts: list[tuple[Colour, np.ndarray]], pose: Pose) -> Figure:
    """Scale to height 1 and move to the origin."""
    points = np.concatenate([polygon for _, polygon in parts])
    low, high = points.min(0), points.max(0)
    scale = 1.0 / (high[1] - low[1])
    aspect = float((high[0] - low[0]) * scale)
    polygons = [(polygon - low) * scale for _, polygon in parts]
    if pose.mirrored:
        polygons = [polygon * (-1, 1) + (aspect, 0) for polygon in polygons]
    return Figure(tuple(colour for colour, _ in parts), tuple(polygons), aspect)


def _cloth(rng: np.random.Generator) -> Colour:
    """Draw a colour of cloth: all hues, with greys, whites and blacks among them."""
    saturation = rng.uniform(0.45, 1.0) if rng.random() < 0.8 else rng.uniform(0.0, 0.12)
    rgb = colorsys.hsv_to_rgb(float(rng.random()), float(saturation), float(rng.uniform(0.2, 1)))
    red, green, blue = (round(255 * value) for value in rgb)
    return blue, green, red


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    red, green, blue = colours[int(rng.integers(len(colours)))]
    return blue, green, red


def _box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _quad(
    x0: float, x1: float, y0: float, y1: float, half0: float, half1: float | None = None
) -> np.ndarray:
    """Make a limb from (x0, y0) to (x1, y1), of half widths ``half0`` and ``half1``."""
    half1 = half0 if half1 is None else half1
    return np.array([(x0 - half0, y0), (x0 + half0, y0), (x1 + half1, y1), (x1 - half1, y1)])


def _ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    return _CIRCLE * (rx, ry) + (x, y)
