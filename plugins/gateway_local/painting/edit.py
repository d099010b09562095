"""Changing callers' pictures: which operation, where, and how large the result is."""

from dataclasses import dataclass

from PIL import Image, ImageChops

from gateway.sdk.pictures.decode import flat
from gateway.sdk.pictures.fit import cover
from gateway.sdk.workshop import EngineRefusal
from gateway_local.painting import operations
from gateway_local.painting.chance import branch, generator
from gateway_local.painting.changes import Dose, side_by_side, vary
from gateway_local.painting.compose import compose
from gateway_local.painting.describe import describe
from gateway_local.painting.inpaint import fill
from gateway_local.painting.operations import Operation
from gateway_local.painting.scene import Scene, read

_SHAPE_TOLERANCE = 0.02
_LEAST = 64  # What is drawn smaller is a blot.


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked for: an empty `prompt` is a variation; a size of None is the source's."""

    prompt: str
    seed: int
    width: int | None = None
    height: int | None = None
    style: str | None = None


def change(
    sources: list[Image.Image], mask: Image.Image | None, edit: Edit
) -> tuple[Image.Image, str]:
    """Return the changed picture and, in words, what was done.

    `mask` is transparent where the picture may change. Raises `EngineRefusal` that lists the
    operations when the prompt asks for none of them.
    """
    prompt = f"{edit.prompt} {edit.style or ''}".strip()
    found, dose = operations.find(prompt)
    base = _base(sources, found)
    hole = _hole(mask, sources[0]) if mask is not None else None
    wants_removal = operations.asks_to_remove(prompt)
    if wants_removal and hole is None:
        hole = _own_hole(sources[0])
    chance = generator(prompt, edit.seed, *base.size, purpose="edit")
    if hole is not None:
        return _within(base, hole, edit, found, dose, is_removal=wants_removal)
    width, height = edit.width or base.width, edit.height or base.height
    if not prompt:
        return cover(vary(base, chance), width, height), "A gentle variation: crop, hue."
    if not found:
        raise _nothing_found()
    for operation in (one for one in found if one.is_shape):
        base = operation.change(base, branch(chance), dose)
    if edit.width is None or edit.height is None:
        width, height = edit.width or base.width, edit.height or base.height
    base = cover(base, width, height)
    for operation in (one for one in found if not one.is_shape):
        base = operation.change(base, branch(chance), dose)
    return base, f"Applied: {', '.join(one.name for one in found)}."


def _base(sources: list[Image.Image], found: list[Operation]) -> Image.Image:
    """Return the picture to work on: the only source, or a collage of all."""
    if len(sources) == 1:
        return flat(sources[0])
    if not any(operation.name == "collage" for operation in found):
        raise EngineRefusal(
            "unsupported",
            "The painter changes one picture; several it can only set side by side: ask for a "
            "collage.",
            "image",
        )
    return side_by_side([flat(source) for source in sources])


def _within(
    base: Image.Image,
    hole: Image.Image,
    edit: Edit,
    found: list[Operation],
    dose: Dose,
    *,
    is_removal: bool,
) -> tuple[Image.Image, str]:
    """Change only what the mask shows, then fit the whole."""
    prompt = f"{edit.prompt} {edit.style or ''}".strip()
    chance = generator(prompt, edit.seed, *base.size, purpose="mask")
    scene = read(edit.prompt, edit.style)
    hole = hole.resize(base.size, Image.Resampling.BILINEAR)
    draws = bool(scene.land or scene.subjects) and all(one.is_scenic for one in found)
    if is_removal or not prompt:
        changed, said = fill(base, hole, chance), "Filled the masked part from its surroundings."
    elif draws:
        changed, said = _drawn_within(base, hole, scene, edit.seed)
    elif found:
        changed = base
        for operation in found:
            changed = operation.change(changed, branch(chance), dose).resize(base.size)
        said = f"Applied within the mask: {', '.join(one.name for one in found)}."
    else:
        raise _nothing_found()
    whole = Image.composite(changed, base, hole)
    return cover(whole, edit.width or base.width, edit.height or base.height), said


def _drawn_within(
    base: Image.Image, hole: Image.Image, scene: Scene, seed: int
) -> tuple[Image.Image, str]:
    """Draw `scene` as large as the hole is, where it is."""
    box = hole.getbbox() or (0, 0, *base.size)
    size = (max(_LEAST, box[2] - box[0]), max(_LEAST, box[3] - box[1]))
    drawn, place = compose(scene, *size, seed)
    changed = base.copy()
    changed.paste(drawn, box[:2])
    return changed, f"Within the mask: {describe(scene, place)}"


def _hole(mask: Image.Image, source: Image.Image) -> Image.Image:
    """Return where `mask` is transparent, as bright pixels."""
    if mask.mode != "RGBA":
        raise EngineRefusal(
            "caller_fault",
            "The mask has no transparent pixel: what may change must be transparent.",
            "mask",
        )
    shape, wanted = mask.width / mask.height, source.width / source.height
    if abs(shape / wanted - 1) > _SHAPE_TOLERANCE:
        raise EngineRefusal(
            "caller_fault", "The mask must have the same shape as the first picture.", "mask"
        )
    return ImageChops.invert(mask.getchannel("A"))


def _own_hole(source: Image.Image) -> Image.Image:
    """Return the transparent part of the picture itself, which counts as its mask."""
    if source.mode != "RGBA":
        raise EngineRefusal(
            "caller_fault",
            "To remove something, send a mask that is transparent where it is.",
            "mask",
        )
    return ImageChops.invert(source.getchannel("A"))


def _nothing_found() -> EngineRefusal:
    return EngineRefusal(
        "caller_fault",
        "The painter changes pictures with named operations, and the prompt asks for none of "
        f"them: {operations.names()}. Within a mask it also draws what it knows.",
        "prompt",
    )
