"""Boxes against polygons: areas as Shapely has them, and what detection does with regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon
from shapely.geometry import box as rectangle

from mmclsa.evaluation.functional import evaluate_detection
from mmclsa.evaluation.functional.polygons import box_polygon_iou, clip_polygon, polygon_area
from mmclsa.structures import Scene


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**20), points=st.integers(3, 12), backwards=st.booleans())
def test_iou_equals_shapelys(seed, points, backwards):
    """Star-shaped polygons, concave as a rule, in either direction."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, points))
    radii = rng.uniform(5, 60, points)
    polygon = 50 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    polygon = polygon[::-1] if backwards else polygon
    corner = rng.uniform(-20, 90, (6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 80, (6, 2))], axis=1)
    shape = Polygon(polygon)
    if not shape.is_valid:
        return
    assert polygon_area(polygon) == pytest.approx(shape.area)
    for box, overlap in zip(boxes, box_polygon_iou(boxes, polygon)):
        other = rectangle(*box)
        expected = shape.intersection(other).area / shape.union(other).area
        assert overlap == pytest.approx(expected, abs=1e-9)


def test_degenerate_input():
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    assert len(clip_polygon(square, np.array([9.0, 9, 10, 10]))) == 0
    assert box_polygon_iou(np.zeros((0, 4)), square).shape == (0,)
    assert box_polygon_iou(np.array([[1.0, 1, 1, 1]]), square[:2]).tolist() == [0]


def test_wrong_detections_in_a_region_do_not_count():
    """PoseTrack21: nobody is annotated there, so that a detection there may be right."""
    person = np.array([[0.0, 0, 10, 20]])
    scene = Scene('a.jpg', person, np.array([0]), np.array([False]))
    inside, outside = [50.0, 50, 60, 70], [80.0, 0, 90, 20]
    boxes = np.array([person[0], inside, outside])
    found = [(boxes, np.array([0.5, 0.9, 0.4]))]
    region = np.array([[45.0, 45], [65, 45], [65, 75], [45, 75]])
    without = evaluate_detection([scene], found)
    within = evaluate_detection([replace(scene, ignore_regions=(region,))], found)
    assert (without.recall, without.ap) == (1.0, 0.5)
    assert (within.recall, within.ap) == (1.0, 1.0)
    # A right detection counts wherever it is, and an IoU of 0.1 or less is not in the region.
    everything = np.array([[0.0, 0], [100, 0], [100, 100], [0, 100]])
    both = evaluate_detection([replace(scene, ignore_regions=(everything, region))], found)
    assert (both.recall, both.ap) == (1.0, 1.0)
    touching = replace(scene, ignore_regions=(region + np.array([9.0, 19.0]),))
    assert evaluate_detection([touching], found).ap == 0.5
