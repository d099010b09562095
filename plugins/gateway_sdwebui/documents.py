"""What the webui is asked, as its `/sdapi/v1` wants it.

Source: AUTOMATIC1111/stable-diffusion-webui 1.10 and lllyasviel/stable-diffusion-webui-forge,
`modules/api/api.py`, `modules/api/models.py`, `modules/processing.py`.
"""

import base64
from collections.abc import Iterator
from typing import NamedTuple

from gateway.schema.failure import Failure
from gateway.schema.images import ImageEditRequest, ImageRequest, Picture
from gateway.schema.json import JsonObject
from gateway.sdk import UpstreamError
from gateway_sdwebui.measure import size_of
from gateway_sdwebui.settings import WebuiSettings

CURRENT = "current"
"""The model's name that leaves whichever checkpoint is loaded."""

_SEEDS = 2**32  # What its random seeds and its page reach; -1 asks for a random one.
_STEP = 8  # A latent pixel is eight of a picture: `opt_f` of processing.py.
_MOST_SIDE = 2048  # As for sizes that callers ask for; a photograph's own would not fit a GPU.
_CROP_AND_RESIZE = 1
_FILL_WITH_ORIGINAL = 1
_INPAINT_NOT_MASKED = 1
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_COLOUR_TYPE = 25  # RFC 2083, 4.1.1: the tenth byte of IHDR's data.
_RGBA = 6


class Run(NamedTuple):
    """One request: `n` pictures whose seeds count up from `seed`; -1 is a random one."""

    seed: int
    n: int


def runs_of(seed: int | None, n: int) -> Iterator[Run]:
    """Yield the requests that give `n` pictures; two where the seeds pass the webui's largest.

    A seed stands for itself modulo 2**32, so that the second picture of seed 7 is that of seed 8.
    """
    if seed is None:
        yield Run(-1, n)
        return
    first = seed % _SEEDS
    fitting = min(n, _SEEDS - first)
    yield Run(first, fitting)
    if fitting < n:
        yield Run(0, n - fitting)


def text_document(request: ImageRequest, run: Run, settings: WebuiSettings) -> JsonObject:
    """Return the body for `/sdapi/v1/txt2img`."""
    size = (request.width or settings.width, request.height or settings.height)
    return _document(request, run, settings) | _sized(*size)


def edit_document(request: ImageEditRequest, run: Run, settings: WebuiSettings) -> JsonObject:
    """Return the body for `/sdapi/v1/img2img`; raise `UpstreamError` for what it cannot take."""
    if len(request.sources) != 1:
        raise UpstreamError(
            Failure.UNSUPPORTED, "the webui changes one picture at a time", param="image"
        )
    (source,) = request.sources
    width, height = request.width, request.height
    if width is None or height is None:
        width, height = _within(size_of(source.data))
    strength = settings.denoising_strength if request.prompt else settings.variation_strength
    document = _document(request, run, settings) | _sized(width, height)
    document |= {
        "init_images": [base64.b64encode(source.data).decode()],
        "denoising_strength": strength,
        "resize_mode": _CROP_AND_RESIZE,
    }
    if request.mask is not None:
        document |= _masked(request.mask)
        # Otherwise an operator's setting may put the mask among the answered pictures.
        document["override_settings"] |= {"return_mask": False, "return_mask_composite": False}
    return document


def _document(
    request: ImageRequest | ImageEditRequest, run: Run, settings: WebuiSettings
) -> JsonObject:
    batch = max(size for size in range(1, settings.batch_size + 1) if run.n % size == 0)
    document: JsonObject = {
        "prompt": request.prompt,
        "negative_prompt": settings.negative_prompt,
        "seed": run.seed,
        "batch_size": batch,
        "n_iter": run.n // batch,
        "steps": settings.steps,
        "send_images": True,
        "save_images": False,
        "override_settings": {},
        # The operator's own choice on the page stays. The weights stay loaded as well: the webui
        # looks which ones it needs when the next call comes, not when this one ends.
        "override_settings_restore_afterwards": True,
    }
    if request.model != CURRENT:
        document["override_settings"]["sd_model_checkpoint"] = request.model
    knobs = {
        "cfg_scale": settings.cfg_scale,
        "sampler_name": settings.sampler_name,
        "scheduler": settings.scheduler,
    }
    return document | {name: value for name, value in knobs.items() if value is not None}


def _sized(width: int | None, height: int | None) -> JsonObject:
    """Return the next size that the webui draws; the gateway cuts what is too much."""
    if width is None or height is None:
        return {}
    return {"width": -(-width // _STEP) * _STEP, "height": -(-height // _STEP) * _STEP}


def _within(size: tuple[int, int] | None) -> tuple[int, int] | tuple[None, None]:
    if size is None:
        return None, None
    scale = min(1.0, _MOST_SIDE / max(size))
    return max(_STEP, round(size[0] * scale)), max(_STEP, round(size[1] * scale))


def _masked(mask: Picture) -> JsonObject:
    """Return the fields of a mask that is transparent where the picture may change.

    The webui takes an RGBA mask's alpha for the mask (`create_binary_mask`), and changes what is
    opaque there: the other way round, hence the inversion. Of any other mode it takes the
    brightness, which would be another picture's meaning. By default it would fill the hole with
    blurred surroundings and cut the picture down to the mask; an edit wants neither.
    """
    is_rgba = mask.data.startswith(_PNG) and mask.data[
        _PNG_COLOUR_TYPE : _PNG_COLOUR_TYPE + 1
    ] == bytes([_RGBA])
    if not is_rgba:
        raise UpstreamError(
            Failure.UNSUPPORTED, "the mask must be a PNG with colours and alpha", param="mask"
        )
    return {
        "mask": base64.b64encode(mask.data).decode(),
        "inpainting_mask_invert": _INPAINT_NOT_MASKED,
        "inpainting_fill": _FILL_WITH_ORIGINAL,
        "inpaint_full_res": False,
    }
