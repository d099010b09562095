"""Compositions for prompts that name nothing that can be drawn: their words choose everything."""

import math

import numpy as np

from gateway_local.painting import curves, noise
from gateway_local.painting.colours import Rgb, darker, from_hue, lighter, mix
from gateway_local.painting.stage import Stage

FORMS = ("waves", "circles", "shards", "flow")
"""The sorts of composition."""


def palette(stage: Stage) -> list[Rgb]:
    """Return five colours that go together: from the prompt's colour, or from chance."""
    chance = stage.branch()
    if stage.scene.tint is not None:
        base = stage.scene.tint
        return [
            darker(base, 0.6),
            darker(base, 0.25),
            base,
            lighter(base, 0.4),
            lighter(base, 0.75),
        ]
    hue = float(chance.random())
    step = float(chance.choice([0.08, 0.33, 0.5]))
    return [
        from_hue(hue, 0.62, 0.26),
        from_hue(hue + step * 0.5, 0.58, 0.56),
        from_hue(hue + step, 0.66, 0.84),
        from_hue(hue + step * 1.15, 0.42, 0.95),
        from_hue(hue + 0.03, 0.12, 0.97),
    ]


def paint_abstract(stage: Stage) -> str:
    """Paint a composition and return which of `FORMS` it is."""
    colours = palette(stage)
    form = FORMS[int(stage.chance.integers(len(FORMS)))]
    _ground(stage, colours)
    {"waves": _waves, "circles": _circles, "shards": _shards, "flow": _flow}[form](stage, colours)
    return form


def _ground(stage: Stage, colours: list[Rgb]) -> None:
    rows, columns = max(2, stage.height // 2), max(2, stage.width // 2)
    chance = stage.branch()
    blot = noise.clouds(
        chance, columns, rows, cell=(stage.unit * 0.5, stage.unit * 0.5), octaves=3
    )[:, :, None]
    down = np.linspace(0, 1, rows)[:, None, None]
    share = np.clip(0.65 * down + 0.5 * (blot - 0.5) + 0.1, 0, 1)
    one, two = np.array(colours[0], dtype=float), np.array(colours[1], dtype=float)
    stage.canvas.field(one + (two - one) * share)


def _waves(stage: Stage, colours: list[Rgb]) -> None:
    chance = stage.branch()
    layers = 9
    xs = np.linspace(0, stage.width, 160)
    for layer in range(layers):
        part = layer / (layers - 1)
        wave = noise.profile(chance, 160, cell=70, octaves=2, rough=0.4)
        line = stage.height * (0.16 + 0.78 * part) + wave * stage.unit * 0.13
        rim = np.stack([xs, line], axis=1)
        sheet = np.concatenate(
            [rim, curves.polygon((stage.width, stage.height), (0, stage.height))]
        )
        tone = _along(colours[::-1], part)
        stage.canvas.shape(
            curves.moved(sheet, 0.0, stage.unit * 0.012), darker(tone, 0.5), alpha=0.3
        )
        stage.canvas.shape(sheet, lighter(tone, 0.12), to=darker(tone, 0.25))
    sun = (stage.width * float(chance.uniform(0.25, 0.75)), stage.height * 0.16)
    stage.canvas.glow(*sun, stage.unit * 0.3, colours[4], 0.5)


def _circles(stage: Stage, colours: list[Rgb]) -> None:
    chance, unit = stage.branch(), stage.unit
    count = int(min(60, 26 * stage.width * stage.height / unit**2))
    for number in range(count):
        radius = unit * 0.26 * (1 - number / count) ** 1.6 + unit * 0.012
        x, y = float(chance.uniform(0, stage.width)), float(chance.uniform(0, stage.height))
        tone = colours[1 + int(chance.integers(4))]
        kind = int(chance.integers(3))
        if kind == 0:
            stage.canvas.shape(
                curves.oval(x, y, radius), lighter(tone, 0.1), to=darker(tone, 0.3), alpha=0.85
            )
        elif kind == 1:
            for ring in range(5):
                loop = curves.oval(x, y, radius * (1 - ring * 0.19))
                stage.canvas.stroke(np.concatenate([loop, loop[:2]]), tone, unit * 0.005, alpha=0.9)
        else:
            half = curves.oval(x, y, radius)[: int(len(curves.oval(x, y, radius)) / 2) + 1]
            stage.canvas.shape(
                curves.moved(curves.turned(half - (x, y), float(chance.uniform(0, 6.28))), x, y),
                tone,
            )
    for _ in range(5):
        x, angle = float(chance.uniform(0, stage.width)), float(chance.uniform(-0.6, 0.6))
        reach = stage.height * 1.2
        line = curves.polygon((x, 0), (x + math.tan(angle) * reach, reach))
        stage.canvas.stroke(line, colours[4], unit * 0.003, alpha=0.7)


def _shards(stage: Stage, colours: list[Rgb]) -> None:
    chance, unit = stage.branch(), stage.unit
    focus = (
        stage.width * float(chance.uniform(0.35, 0.65)),
        stage.height * float(chance.uniform(0.35, 0.65)),
    )
    turns = np.sort(chance.uniform(0, 2 * math.pi, 26))
    reach = math.hypot(stage.width, stage.height)
    for number, (one, two) in enumerate(
        zip(turns, [*turns[1:], turns[0] + 2 * math.pi], strict=True)
    ):
        levels = np.cumsum(chance.uniform(0.07, 0.3, 7)) * reach * 0.62
        inner = 0.0
        for ring, outer in enumerate(levels.tolist()):
            corners = [
                (inner, one),
                (outer, one),
                (outer * float(chance.uniform(0.9, 1.1)), two),
                (inner, two),
            ]
            shard = np.array(
                [(focus[0] + math.cos(a) * r, focus[1] + math.sin(a) * r) for r, a in corners]
            )
            tone = _along(
                colours, float(np.clip(0.9 - outer / reach + chance.normal() * 0.16, 0, 1))
            )
            stage.canvas.shape(
                shard, lighter(tone, 0.1), to=darker(tone, 0.2 if (number + ring) % 2 else 0.05)
            )
            inner = outer
    stage.canvas.glow(*focus, unit * 0.3, colours[4], 0.6)


def _flow(stage: Stage, colours: list[Rgb]) -> None:
    """Let threads drift through a field of noise."""
    chance, unit = stage.branch(), stage.unit
    grid = 96
    angle = noise.clouds(chance, grid, grid, cell=(34, 34), octaves=3) * 4 * math.pi
    count = int(min(900, 420 * stage.width * stage.height / unit**2))
    at = chance.random((count, 2)) * (stage.width, stage.height)
    steps = [at]
    for _ in range(26):
        columns = np.clip((at[:, 0] / stage.width * grid).astype(int), 0, grid - 1)
        rows = np.clip((at[:, 1] / stage.height * grid).astype(int), 0, grid - 1)
        turn = angle[rows, columns]
        at = at + np.stack([np.cos(turn), np.sin(turn)], axis=1) * unit * 0.012
        steps.append(at)
    threads = np.stack(steps, axis=1)
    tones = chance.random(count)
    for thread, tone in zip(threads, tones.tolist(), strict=True):
        colour = mix(_along(colours[1:], tone), colours[4], 0.1)
        stage.canvas.shape(
            curves.ribbon(thread, [0.0, unit * 0.007, 0.0], steps=1), colour, alpha=0.85
        )


def _along(colours: list[Rgb], part: float) -> Rgb:
    place = part * (len(colours) - 1)
    index = min(int(place), len(colours) - 2)
    return mix(colours[index], colours[index + 1], place - index)
