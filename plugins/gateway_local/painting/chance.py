"""Where a picture's accidents come from: a generator fixed by prompt, seed and size."""

import hashlib

import numpy as np

Generator = np.random.Generator


def generator(prompt: str, seed: int, width: int, height: int, *, purpose: str = "") -> Generator:
    """Return the generator for these inputs; equal inputs give equal numbers on every machine."""
    text = f"{purpose}\0{seed}\0{width}x{height}\0{prompt}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def branch(chance: Generator) -> Generator:
    """Return a generator of its own, so that what one thing takes does not move the others."""
    return np.random.Generator(np.random.PCG64(int(chance.integers(0, 2**63))))


def coin(chance: Generator, share: float = 0.5) -> bool:
    """Return whether something happens that happens `share` (0 to 1) of the time."""
    return bool(chance.random() < share)
