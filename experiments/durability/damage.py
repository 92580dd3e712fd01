"""Checkpoints and models with a bit flipped or an end missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxmlp.models import model
from jaxmlp.train import checkpoints
from jaxmlp.types import InputError


def damage_cases(out: Path, num_flips: int, seed: int) -> dict[str, dict[str, Any]]:
    """Bits flipped and ends cut off, of a checkpoint and of a model: each must be refused."""
    draws, found = np.random.default_rng(seed), {}
    readers: dict[str, tuple[Path, Callable[[bytes], Any]]] = {
        "checkpoint": (max(out.glob("checkpoints/*/epoch-*")), checkpoints.decode),
        "model": (out / "model.safetensors", model.from_bytes),
    }
    for name, (path, read) in readers.items():
        content = path.read_bytes()
        read(content)
        # Half of them where the header is, which is small.
        places = [*draws.integers(0, 4096, num_flips // 2), *draws.integers(0, len(content), num_flips)]
        flips = [(int(place), 1 << int(draws.integers(8))) for place in places]
        damaged = {
            f"{len(places)} flipped bits of a {name}": [
                content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :] for place, bit in flips
            ],
            f"{len(places)} ends cut off a {name}": [content[:place] for place, _ in flips],
        }
        for case, versions in damaged.items():
            refused = sum(is_refused(version, read) for version in versions)
            found[case] = {"held": refused == len(versions), "outcome": f"{refused} refused in one line"}
    return found


def is_refused(content: bytes, read: Callable[[bytes], Any]) -> bool:
    """Whether reading this raises an error of one line."""
    try:
        read(content)
    except InputError as error:
        return "\n" not in str(error)
    return False
