"""What is trained, on what, and from which weights, whatever the system."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer


class Work(NamedTuple):
    """What is to be trained."""

    layer_sizes: tuple[int, ...]
    batch_size: int = 128
    num_members: int = 1
    """Networks, which differ in their initial weights."""
    num_examples: int | None = None
    """As many of the first examples; None: all."""
    dataset: str = "images"
    learning_rate: float = 1e-3
    seed: int = 0


class Data(NamedTuple):
    """Inputs scaled to about 1, and labels; of images the training inputs as bytes, too."""

    inputs: Float[np.ndarray, "examples features"]
    labels: Integer[np.ndarray, " examples"]
    validation_inputs: Float[np.ndarray, "others features"]
    validation_labels: Integer[np.ndarray, " others"]
    pixels: Integer[np.ndarray, "..."] = np.zeros((0, 0), np.uint8)
    """For those whose documentation scales pixels within the step, which is this library; else empty."""
    brightest: Float[np.ndarray, ""] = np.ones((), np.float32)
    """``pixels`` / ``brightest`` are ``inputs``."""


class Trainer(NamedTuple):
    """One system at work."""

    epoch: Callable[[], None]
    """Trains for one epoch, and returns when all is done."""
    accuracy: Callable[[], float]
    """The share of the validation examples that is right, the mean of all members."""


def initial(work: Work, member: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """The weight (in, out) and bias of each layer: normal, of variance 2 / inputs, of the last 1 / inputs."""
    draws = np.random.default_rng([work.seed, member])
    shapes = list(pairwise(work.layer_sizes))
    gains = [2.0] * (len(shapes) - 1) + [1.0]
    return [
        (draws.normal(0, np.sqrt(gain / shape[0]), shape).astype(np.float32), np.zeros(shape[1], np.float32))
        for shape, gain in zip(shapes, gains, strict=True)
    ]


def orders(work: Work, num_examples: int) -> Iterator[Integer[np.ndarray, "steps batch"]]:
    """For each epoch a random order, cut into whole batches, for systems without one of their own."""
    draws, num_steps = np.random.default_rng(work.seed), num_examples // work.batch_size
    while True:
        yield draws.permutation(num_examples)[: num_steps * work.batch_size].reshape(num_steps, -1)


def share_right(logits: Any, labels: np.ndarray) -> float:
    """Of logits [..., examples, classes] the share whose largest is the label's."""
    return float((np.asarray(logits).argmax(axis=-1) == labels).mean())
