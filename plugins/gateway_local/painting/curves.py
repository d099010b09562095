"""Outlines: smooth curves, ribbons and round shapes, as arrays of points in pixels."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Rows of x and y; y grows downwards."""

Coordinates = Sequence[tuple[float, float]]


def smooth(points: Coordinates | Points, *, closed: bool = True, steps: int = 6) -> Points:
    """Return a Catmull-Rom curve through `points`, `steps` pieces between any two."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        around = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        around = np.concatenate([knots[:1], knots, knots[-1:]])
    p0, p1, p2, p3 = around[:-3], around[1:-2], around[2:-1], around[3:]
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    curve = curve.transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


def ribbon(points: Coordinates | Points, widths: Sequence[float], *, steps: int = 6) -> Points:
    """Return a band along the smooth curve through `points`; `widths` are spread along it."""
    spine = smooth(points, closed=False, steps=steps)
    along = np.gradient(spine, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    place = np.linspace(0.0, 1.0, len(spine))
    half = np.interp(place, np.linspace(0.0, 1.0, len(widths)), widths)[:, None] / 2
    return np.concatenate([spine + normal * half, (spine - normal * half)[::-1]])


def oval(x: float, y: float, across: float, down: float | None = None, turn: float = 0.0) -> Points:
    """Return an ellipse around (x, y) with these radii, turned by `turn` radians."""
    down = across if down is None else down
    corners = int(np.clip(max(across, down) * 1.2, 12, 64))
    angles = np.linspace(0.0, 2 * math.pi, corners, endpoint=False)
    flat = np.stack([np.cos(angles) * across, np.sin(angles) * down], axis=1)
    return moved(turned(flat, turn), x, y)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """Return a rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def polygon(*points: tuple[float, float]) -> Points:
    """Return these corners."""
    return np.array(points, dtype=np.float64)


def star(x: float, y: float, radius: float, *, tips: int = 5, waist: float = 0.42) -> Points:
    """Return a star with one tip up."""
    angles = np.arange(tips * 2) * math.pi / tips - math.pi / 2
    radii = np.where(np.arange(tips * 2) % 2 == 0, radius, radius * waist)
    return np.stack([x + np.cos(angles) * radii, y + np.sin(angles) * radii], axis=1)


def moved(points: Points, x: float, y: float) -> Points:
    """Return `points` shifted by x and y."""
    return np.asarray(points + np.array([x, y]))


def turned(points: Points, angle: float) -> Points:
    """Return `points` turned clockwise around the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


def placed(
    points: Coordinates | Points, x: float, y: float, size: float, *, flip: bool = False
) -> Points:
    """Return an outline drawn in a box of height 1 (feet at y = 1, middle at x = 0.5) in pixels.

    The feet's middle comes to (x, y); `flip` makes it look the other way.
    """
    at = np.asarray(points, dtype=np.float64)
    across = (0.5 - at[:, 0]) if flip else (at[:, 0] - 0.5)
    return np.stack([x + across * size, y + (at[:, 1] - 1.0) * size], axis=1)
