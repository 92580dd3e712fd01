"""The nouns every room shares. No logic."""

from typing import TYPE_CHECKING, Any, ForwardRef, NamedTuple

import numpy as np
from jax.sharding import AbstractMesh, Mesh
from jaxtyping import Array, Float, Scalar, Shaped
from numpy.typing import ArrayLike

PyTree = Any
"""Any nesting of tuples, lists, dicts and NamedTuples with arrays as leaves."""

AnyArray = Array | np.ndarray
"""On a device, or still on the host."""

AnyMesh = Mesh | AbstractMesh
"""Devices, or such as there might be, for which programs can be compiled."""

Numbers = ArrayLike | float | int
"""One number or an array of them; NumPy's own alias leaves single numbers to be promoted to complex."""

ClassName = str | int | float | bool
"""What a class is called, in a type that JSON keeps."""

if TYPE_CHECKING:
    from pandas import DataFrame, Series
else:
    # By name alone: pandas takes half a second to import, and is an extra.
    DataFrame, Series = ForwardRef("pandas.DataFrame"), ForwardRef("pandas.Series")


class InputError(ValueError):
    """What the user gave breaks a rule; the message names the argument, the rule and the value.

    Experiments print it as one line and exit with status 2.
    """


class Layer(NamedTuple):
    """One affine map, ``x @ weight + bias``; the weight is stored (in, out)."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]


class Embedding(NamedTuple):
    """Of each number, mixtures of waves: the cosines of 2π frequency × number + phase, @ mixing."""

    frequencies: Float[Array, "numbers frequencies"]
    phases: Float[Array, "numbers frequencies"]
    """In radians."""
    mixing: Float[Array, "numbers frequencies features"]


Params = tuple[Layer, ...]
"""The parameters of a multilayer perceptron, first layer first."""

Layers = tuple[Embedding | Layer, ...]
"""The same, perhaps with an embedding of its inputs before them."""


class Dataset(NamedTuple):
    """Examples along the first axis of every field.

    ``inputs`` keep the shape and dtype of the raw example (uint8 pixels stay uint8). ``targets`` are
    class labels 0…k−1 (int32) or real values (one each, or a row each). ``weights`` say how much an
    example counts, in the training loss, where their mean is 1, or in what is measured; ``None`` means that
    all count alike.
    """

    inputs: Shaped[AnyArray, "examples ..."]
    targets: Shaped[AnyArray, "examples ..."]
    weights: Float[AnyArray, " examples"] | None = None


class Hyperparams(NamedTuple):
    """Whatever one may sweep without compiling again: every field is a traced number.

    ``None`` means absent: the compiled program has no trace of it, where a traced 0 would still cost.
    """

    learning_rate: Scalar | float | None = None
    """Step size; ``None``: the optimizer's own default."""
    weight_decay: Scalar | float | None = None
    """Each step subtracts learning_rate × weight_decay × weight from the weights, not from the biases."""
    momentum: Scalar | float | None = None
    """The decay rate of the first moment (SGD's momentum, Adam's b1)."""
    clip_norm: Scalar | float | None = None
    """Largest norm of the whole gradient; longer ones are scaled down to it."""
    max_norm: Scalar | float | None = None
    """Largest norm of one unit's incoming weights; longer ones are projected back after each step."""
    dropout: Scalar | float | None = None
    """Share of hidden units dropped while training."""
    input_dropout: Scalar | float | None = None
    """Share of inputs dropped while training."""
    label_smoothing: Scalar | float | None = None
    """Share of the target's probability that is spread evenly over all classes."""
    initial_scale: Scalar | float | None = None
    """Factor on the initial weights of the layers."""
    frequency_scale: Scalar | float | None = None
    """Standard deviation of an embedding's initial frequencies, in turns per unit of its inputs."""
    b2: Scalar | float | None = None
    """The decay rate of the second moment (Adam's b2)."""
    deformation: Scalar | float | None = None
    """How far training images are deformed, in times the limits of ``augment.Deformation``."""
    num_steps: Scalar | float | None = None
    """Steps in the whole run, over which a schedule stretches."""
