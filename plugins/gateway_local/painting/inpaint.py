"""Filling a hole from its surroundings, by averaging neighbours at every scale."""

import numpy as np
from PIL import Image, ImageFilter

from gateway_local.painting.chance import Generator
from gateway_local.painting.noise import Floats, enlarge


def fill(image: Image.Image, hole: Image.Image, chance: Generator) -> Image.Image:
    """Return `image` (RGB) with the bright part of `hole` (L, same size) filled.

    The picture is reduced again and again, each pixel the mean of its known neighbours, until
    nothing is unknown; on the way back every level fills what the finer one does not know. A grain
    like that of the rest is laid over, so that the place does not look polished.
    """
    pixels = np.asarray(image, dtype=np.float32)
    unknown = np.asarray(hole.filter(ImageFilter.MaxFilter(3)), dtype=np.float32)[:, :, None] / 255
    known = 1 - unknown
    if not known.any():
        known = np.ones_like(known)
    filled = _pulled(pixels * known, known)
    grain = pixels - np.asarray(image.filter(ImageFilter.BoxBlur(1)), dtype=np.float32)
    around = known[:, :, 0] > 0
    rough = min(6.0, float(grain[around].std())) if around.any() else 0.0
    filled = filled + chance.normal(0, rough, (*filled.shape[:2], 1))
    result = pixels + (filled - pixels) * unknown
    return Image.fromarray(np.clip(result, 0, 255).astype(np.uint8))


def _pulled(colours: Floats, weights: Floats) -> Floats:
    """Return colours everywhere: known ones (weight 1) as they are, others from coarser levels."""
    if weights.min() > 0 or max(weights.shape) <= 1:
        return np.asarray(colours / np.maximum(weights, 1e-6))
    small_colours, small_weights = _halved(colours), _halved(weights)
    scale = np.maximum(small_weights, 1.0)
    coarse = _pulled(small_colours / scale, np.minimum(small_weights, 1.0))
    height, width = colours.shape[:2]
    grown = np.stack([enlarge(coarse[:, :, i], width, height) for i in range(3)], axis=2)
    return np.asarray(colours + grown * (1 - weights))


def _halved(values: Floats) -> Floats:
    """Return sums over squares of two by two."""
    height, width = values.shape[:2]
    padded = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    pairs = padded[0::2] + padded[1::2]
    return np.asarray(pairs[:, 0::2] + pairs[:, 1::2])
