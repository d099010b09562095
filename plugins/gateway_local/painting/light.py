"""The light of a scene: what colour the sky, its clouds, the distance and lit things have."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from gateway_local.painting.colours import Rgb, darker, lighter, luma, mix
from gateway_local.painting.scene import Scene

Factors = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """One time of day in one weather.

    `sky` are colours from the zenith (0) to the horizon (1), `haze` is what distance fades into,
    `ambient` what every thing's own colour is multiplied with.
    """

    sky: tuple[tuple[float, Rgb], ...]
    sun: Rgb
    haze: Rgb
    ambient: Factors
    cloud_lit: Rgb
    cloud_shade: Rgb
    cover: float
    """How much of the sky is cloud, 0 to 1."""
    is_dark: bool = False
    """Stars are out and windows are lit."""
    has_sun: bool = True


_TIMES: Mapping[str, Light] = MappingProxyType(
    {
        "dawn": Light(
            sky=(
                (0.0, (78, 110, 170)),
                (0.45, (158, 158, 196)),
                (0.75, (244, 186, 170)),
                (1.0, (255, 224, 178)),
            ),
            sun=(255, 236, 190),
            haze=(240, 204, 188),
            ambient=(0.95, 0.86, 0.86),
            cloud_lit=(255, 222, 200),
            cloud_shade=(176, 150, 180),
            cover=0.36,
        ),
        "day": Light(
            sky=((0.0, (44, 116, 190)), (0.55, (112, 176, 226)), (1.0, (206, 230, 242))),
            sun=(255, 248, 214),
            haze=(188, 214, 232),
            ambient=(1.0, 1.0, 1.0),
            cloud_lit=(255, 255, 255),
            cloud_shade=(188, 204, 222),
            cover=0.38,
        ),
        "sunset": Light(
            sky=(
                (0.0, (44, 40, 98)),
                (0.32, (116, 58, 124)),
                (0.6, (222, 88, 96)),
                (0.82, (252, 150, 82)),
                (1.0, (255, 210, 124)),
            ),
            sun=(255, 228, 150),
            haze=(246, 160, 112),
            ambient=(0.78, 0.54, 0.56),
            cloud_lit=(255, 164, 106),
            cloud_shade=(128, 64, 118),
            cover=0.46,
        ),
        "dusk": Light(
            sky=(
                (0.0, (20, 26, 64)),
                (0.45, (58, 56, 114)),
                (0.78, (138, 92, 146)),
                (1.0, (226, 146, 138)),
            ),
            sun=(255, 196, 160),
            haze=(150, 112, 152),
            ambient=(0.5, 0.46, 0.66),
            cloud_lit=(204, 130, 156),
            cloud_shade=(66, 58, 112),
            cover=0.36,
            is_dark=True,
            has_sun=False,
        ),
        "night": Light(
            sky=(
                (0.0, (7, 11, 34)),
                (0.5, (16, 26, 64)),
                (0.85, (34, 54, 104)),
                (1.0, (56, 80, 132)),
            ),
            sun=(250, 246, 222),
            haze=(44, 64, 112),
            ambient=(0.46, 0.5, 0.7),
            cloud_lit=(70, 84, 130),
            cloud_shade=(28, 38, 78),
            cover=0.24,
            is_dark=True,
            has_sun=False,
        ),
    }
)
_BLACK = 60.0
_NEON_SKY = ((0.0, (10, 6, 38)), (0.45, (44, 12, 86)), (0.8, (150, 24, 140)), (1.0, (255, 70, 150)))
_GREYS: Mapping[str, tuple[Rgb, float]] = MappingProxyType(
    {
        "rain": ((128, 142, 158), 0.78),
        "storm": ((62, 70, 90), 0.85),
        "cloudy": ((158, 168, 180), 0.7),
        "fog": ((208, 214, 216), 0.74),
        "snow": ((196, 208, 222), 0.55),
    }
)
_COVER: Mapping[str, float] = MappingProxyType(
    {"rain": 0.8, "storm": 0.95, "cloudy": 0.85, "fog": 0.5, "snow": 0.5, "clear": 0.0}
)


def light_of(scene: Scene) -> Light:
    """Return the light that `scene` asks for: daylight unless it says otherwise."""
    time = scene.time or _usual_time(scene)
    light = _TIMES[time]
    if scene.style == "neon":
        light = replace(
            _TIMES["night"], sky=_NEON_SKY, haze=(120, 30, 140), ambient=(0.42, 0.34, 0.7)
        )
    if scene.weather is not None and scene.weather in _GREYS:
        light = _greyed(light, scene.weather)
    elif scene.weather == "clear":
        light = replace(light, cover=0.0)
    if scene.sky_colour is not None:
        light = _tinted(light, scene.sky_colour, 0.72)
    elif scene.tint is not None and scene.tint_name not in {"white", "black", "gray", "grey"}:
        light = _tinted(light, scene.tint, 0.45)
    if scene.first("clouds") is not None:
        light = replace(light, cover=max(light.cover, 0.6))
    return light


def _usual_time(scene: Scene) -> str:
    if scene.style == "neon" or scene.has("moon", "crescent", "stars", "aurora", "comet"):
        return "night"
    return "dusk" if scene.has("campfire") else "day"


def _greyed(light: Light, weather: str) -> Light:
    grey, share = _GREYS[weather]
    if light.is_dark:
        grey, share = darker(grey, 0.72), share * 0.7
    elif light.cloud_lit != (255, 255, 255):
        share *= 0.6  # A sunset stays one in the rain.

    def wash(colour: Rgb, part: float = 1.0) -> Rgb:
        return mix(colour, grey, share * part)

    last = len(light.sky) - 1
    dim = {"storm": 0.66, "rain": 0.84}.get(weather, 0.95)
    return replace(
        light,
        sky=tuple(
            (at, wash(darker(c, (1 - dim) * (1 - i / last)))) for i, (at, c) in enumerate(light.sky)
        ),
        haze=wash(light.haze),
        cloud_lit=wash(light.cloud_lit, 0.8),
        cloud_shade=wash(darker(light.cloud_shade, 1 - dim)),
        ambient=tuple_of(light.ambient, dim),
        cover=_COVER[weather],
        has_sun=light.has_sun and weather == "snow",
    )


def tuple_of(factors: Factors, dim: float) -> Factors:
    """Return `factors` made darker by `dim`."""
    red, green, blue = factors
    return (red * dim, green * dim, blue * dim)


def _tinted(light: Light, colour: Rgb, share: float) -> Light:
    last = len(light.sky) - 1
    if light.is_dark:
        colour = darker(colour, 0.45)
    pale = lighter(colour, 0.55) if luma(colour) > _BLACK else lighter(colour, 0.25)
    return replace(
        light,
        sky=tuple(
            (at, mix(c, mix(colour, pale, i / last), share)) for i, (at, c) in enumerate(light.sky)
        ),
        haze=mix(light.haze, pale, share * 0.8),
        cloud_shade=mix(light.cloud_shade, colour, share * 0.5),
        cloud_lit=mix(light.cloud_lit, pale, share * 0.5),
    )
