"""What every thing that is drawn is given: the canvas, the light, chance and the ground."""

from dataclasses import dataclass

import numpy as np

from gateway_local.painting.canvas import Canvas
from gateway_local.painting.chance import Generator, branch
from gateway_local.painting.colours import Rgb, mix, times
from gateway_local.painting.light import Light
from gateway_local.painting.noise import Floats
from gateway_local.painting.scene import Scene


@dataclass(slots=True)
class Stage:
    """A picture in the making and where things stand in it; all lengths in its pixels."""

    canvas: Canvas
    scene: Scene
    light: Light
    chance: Generator
    horizon: float
    sun_x: float
    sun_y: float

    @property
    def width(self) -> int:
        """The picture's width."""
        return self.canvas.width

    @property
    def height(self) -> int:
        """The picture's height."""
        return self.canvas.height

    @property
    def unit(self) -> float:
        """The shorter side: what sizes are measured with."""
        return self.canvas.unit

    def lit(self, colour: Rgb, distance: float = 0.0) -> Rgb:
        """Return `colour` in this light, seen from `distance` (0 here, 1 at the horizon)."""
        return mix(times(colour, self.light.ambient), self.light.haze, 0.75 * distance)

    def ground(self, depth: float) -> float:
        """Return the line of the ground at `depth` (0 at the horizon, 1 at the lower edge)."""
        return self.horizon + (self.height - self.horizon) * depth

    def branch(self) -> Generator:
        """Return chance for one thing."""
        return branch(self.chance)


def gradient(stops: tuple[tuple[float, Rgb], ...], rows: int) -> Floats:
    """Return `rows` colours (rows, 1, 3) that run through `stops`."""
    at = np.linspace(0.0, 1.0, max(rows, 2))[:rows]
    places = [place for place, _ in stops]
    channels = [np.interp(at, places, [c[i] for _, c in stops]) for i in range(3)]
    return np.stack(channels, axis=1)[:, None, :]
