"""Value noise: the texture of clouds, rock and paper, as arrays of numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway_local.painting.chance import Generator

Floats = NDArray[np.floating[Any]]  # Any: the width of the floats is whatever numpy makes of it.


def enlarge(grid: Floats, width: int, height: int) -> Floats:
    """Return `grid` stretched smoothly to `height` rows of `width`."""
    image = Image.fromarray(np.ascontiguousarray(grid, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def clouds(
    chance: Generator,
    width: int,
    height: int,
    *,
    cell: tuple[float, float],
    octaves: int = 4,
    rough: float = 0.5,
) -> Floats:
    """Return fractal noise from 0 to 1, whose largest blots are `cell` pixels wide and high."""
    total = np.zeros((height, width), dtype=np.float32)
    weight, sum_of_weights = 1.0, 0.0
    across, down = cell
    for _ in range(octaves):
        columns = max(2, round(width / max(across, 1.0)) + 2)
        rows = max(2, round(height / max(down, 1.0)) + 2)
        grid = chance.random((min(rows, height + 2), min(columns, width + 2)), dtype=np.float32)
        total += weight * enlarge(grid, width, height)
        sum_of_weights += weight
        weight *= rough
        across, down = across / 2, down / 2
    return np.asarray(np.clip(0.5 + (total / sum_of_weights - 0.5) * 1.6, 0.0, 1.0))


def profile(
    chance: Generator, count: int, *, cell: float, octaves: int = 5, rough: float = 0.5
) -> Floats:
    """Return a wavering line of `count` heights, about -1 to 1, with waves `cell` samples long."""
    at = np.arange(count, dtype=np.float64)
    total = np.zeros(count)
    weight, length = 1.0, max(cell, 2.0)
    for _ in range(octaves):
        knots = chance.uniform(-1.0, 1.0, int(count / length) + 4)
        place = at / length + float(chance.random())
        left = place.astype(int)
        part = place - left
        ease = part * part * (3 - 2 * part)
        total += weight * (knots[left] * (1 - ease) + knots[left + 1] * ease)
        weight *= rough
        length = max(2.0, length / 2)
    return total


def ease(values: Floats, low: float, high: float) -> Floats:
    """Return 0 below `low`, 1 above `high`, and a smooth step between."""
    part = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(part * part * (3 - 2 * part))
