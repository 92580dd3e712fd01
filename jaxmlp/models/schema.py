"""What a saved model's weights mean: the specification stored beside them as JSON, and its rules."""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from jaxmlp import checks
from jaxmlp.data.columns import Column
from jaxmlp.models.formats import OLDEST_FORMAT, upgrade
from jaxmlp.nn import mlp
from jaxmlp.nn.embeddings import NUM_FEATURES, EmbeddingSpec
from jaxmlp.nn.heads import HEADS
from jaxmlp.runtime.files import strict_json
from jaxmlp.types import ClassName, InputError

FORMAT = 5
# JSON knows no infinity, but a number with a large exponent reads as one.
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
Size = Annotated[int, Meta(gt=0)]
LOSSES = {"binary": "cross-entropy", "multiclass": "cross-entropy", "regression": "squared error"}
"""What each head is trained with, unless the loss is one's own."""


class Dense(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="dense", tag_field="kind"):
    """An affine layer and the activation after it: the tensors ``weight`` (in, out) and ``bias``."""

    inputs: Size
    outputs: Size
    activation: str
    """A name in ``mlp.ACTIVATIONS``; "identity" after the last layer."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of its tensors."""
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}


class Periodic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="periodic", tag_field="kind"):
    """The embedding of some inputs, before all layers: the inputs, then cos(2π frequencies × number + phases)
    @ ``mixing`` for each number.
    """

    inputs: Size
    numbers: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=1)]
    """Places of the numbers among the inputs, ascending from 0."""
    num_frequencies: Size

    @property
    def spec(self) -> EmbeddingSpec:
        """What training needs to know of it."""
        return EmbeddingSpec(self.numbers, self.num_frequencies)

    @property
    def outputs(self) -> int:
        """Inputs and features."""
        return self.spec.num_outputs(self.inputs)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of its tensors."""
        shape = len(self.numbers), self.num_frequencies
        return {"frequencies": shape, "phases": shape, "mixing": (*shape, NUM_FEATURES)}


class SavedNetwork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one network of a model looks like."""

    layers: Annotated[tuple[Periodic | Dense, ...], Meta(min_length=1)]
    count: Size = 1
    """How often the network counts in the average."""

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The layers without the embedding."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def embedding(self) -> EmbeddingSpec | None:
        """That of the inputs, if there is one."""
        first = self.layers[0]
        return first.spec if isinstance(first, Periodic) else None

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Inputs, hidden…, outputs."""
        return self.layers[0].inputs, *(layer.outputs for layer in self.dense)

    @property
    def activation(self) -> str:
        """That of the first layer."""
        return self.dense[0].activation


def dense_network(
    layer_sizes: Sequence[Any], activation: Any, count: int = 1, embedding: EmbeddingSpec | None = None
) -> SavedNetwork:
    """A perceptron of ``layer_sizes`` = (inputs, hidden…, outputs), with ``activation`` in between, perhaps
    with the ``embedding`` of its inputs.
    """
    num_inputs, *sizes = layer_sizes
    first = () if embedding is None else (Periodic(num_inputs, *embedding),)
    num_embedded = first[0].outputs if first else num_inputs
    activations = [activation] * (len(sizes) - 1) + ["identity"]
    layers = zip(pairwise((num_embedded, *sizes)), activations, strict=True)
    return SavedNetwork((*first, *(Dense(*pair, name) for pair, name in layers)), count)


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the weights mean; stored as JSON beside them."""

    networks: Annotated[tuple[SavedNetwork, ...], Meta(min_length=1)]
    """One, or those of an ensemble."""
    head: str
    """A name in ``heads.HEADS``."""
    input_shape: Annotated[tuple[Size, ...], Meta(min_length=1)]
    """Shape of one raw example."""
    class_names: tuple[ClassName, ...]
    """One for each class, in the order of the labels; none for a regression."""
    dataset: str
    """The name of the training data."""
    metrics: dict[str, Finite | None]
    """What was measured, by name; None for what could not be."""
    versions: dict[str, str | None]
    """Package → version at the time of training; None for one that ran without being installed."""
    loss: str = ""
    """What training made small: one of ``LOSSES``, or "own: …" and its name. Predictions do not need it."""
    intervals: dict[str, tuple[Finite, Finite]] = {}
    """The 95 % interval of a metric, by its name."""
    drawing_extent: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Share of the image's side that a drawing fills in the training images; None where nothing is drawn."""
    temperature: Positive = 1.0
    """Probabilities are raised to the power of its inverse and scaled back to the sum 1 (Guo et al. 2017)."""
    noise_scale: Annotated[tuple[Positive, ...], Meta(min_length=1)] | None = None
    """Standard deviation of what a regression gets wrong, in the targets' unit, one for each output."""
    columns: Annotated[tuple[Column, ...], Meta(min_length=1)] | None = None
    """Those of the table that the inputs came from; None where they were arrays."""
    target: str | None = None
    """The column of the table that is predicted."""
    target_kind: str | None = None
    """How it is written, of ``inference.KINDS``; None where nothing has to be known."""
    target_range: Annotated[tuple[tuple[Finite, Finite], ...], Meta(min_length=1)] | None = None
    """Of a regression, the lowest and highest value that each output may have, to which each network's is
    clipped, in the targets' unit; None for any.
    """
    format: int = FORMAT
    """Version of the file format."""


def to_json(spec: ModelSpec) -> str:
    """The specification as one JSON object, without intervals that are not finite, which JSON does not have;
    InputError for another such value.
    """
    try:
        known = {name: pair for name, pair in spec.intervals.items() if all(map(math.isfinite, pair))}
        spec = msgspec.structs.replace(spec, intervals=known)
        # ``item`` turns the scalars of NumPy and JAX into numbers.
        return msgspec.json.encode(spec, enc_hook=lambda value: value.item()).decode()
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"description: holds a value that JSON cannot ({error})") from None


def from_json(text: Any) -> ModelSpec:
    """The specification that ``to_json`` wrote.

    Raises InputError unless every field is there and of its type, and they agree with each other.
    """
    fields = strict_json(text, "description")
    _check_format(fields.get("format") if isinstance(fields, dict) else None)
    try:
        fields = upgrade(fields)
        spec = msgspec.convert(fields, ModelSpec)
    except (KeyError, TypeError) as error:
        raise InputError(f"its description is not as it was written: {error}") from None
    except ValueError as error:  # which msgspec's own are, too
        place = f"at {str(error).rpartition('$.')[2].rstrip('`')}" if "$." in str(error) else "in it"
        reason = str(error).partition(" - at")[0]
        raise InputError(f"its description is not as it was written: {reason}, {place}") from None
    names = (field.encode_name for field in msgspec.structs.fields(ModelSpec))
    if missing := [name for name in names if name not in fields]:
        raise InputError(f"its description lacks the field {missing[0]!r}; save the model again")
    _check_agreement(spec)
    return spec


def _check_format(number: Any) -> None:
    if type(number) is int and number > FORMAT:
        raise InputError(f"has format {number}, and this jaxmlp reads {FORMAT}; upgrade jaxmlp to read it")
    if type(number) is not int or number < OLDEST_FORMAT:
        raise InputError(
            f"its description's format must be {OLDEST_FORMAT} to {FORMAT}, got {number!r:.80}; "
            "save the model again"
        )


def _check_agreement(spec: ModelSpec) -> None:
    checks.known_name("head", spec.head, HEADS)
    checks.class_names("class_names", spec.class_names)
    num_outputs = spec.networks[0].layer_sizes[-1]
    for network in spec.networks:
        _check_embedding(network)
        num_inputs, *_, last = network.layer_sizes
        for before, after in pairwise(network.layers):
            if before.outputs != after.inputs:
                raise InputError(f"its layers have {before.outputs} outputs and then {after.inputs} inputs")
        for layer in network.dense:
            checks.known_name("activation", layer.activation, mlp.ACTIVATIONS)
        if math.prod(spec.input_shape) != num_inputs:
            raise InputError(f"its input_shape {spec.input_shape} does not hold {num_inputs} inputs")
        if last != num_outputs:
            raise InputError(f"its networks have {num_outputs} and {last} outputs; save them apart")
    wanted = {"binary": (1, 2), "regression": (num_outputs, 0)}.get(spec.head, (num_outputs, num_outputs))
    if (num_outputs, len(spec.class_names)) != wanted:
        raise InputError(
            f"its head {spec.head!r} wants {wanted[0]} outputs and {wanted[1]} class_names, "
            f"got {num_outputs} and {len(spec.class_names)}"
        )
    _check_values(spec, num_outputs if spec.head == "regression" else 0)


def _check_values(spec: ModelSpec, num_values: int) -> None:
    """InputError unless what is said of each value of a regression is said of all."""
    ranges, scales = spec.target_range, spec.noise_scale
    if ranges is not None and (len(ranges) != num_values or any(low > high for low, high in ranges)):
        rule = f"must be the lowest and highest of {num_values} values of a regression"
        raise InputError(f"its target_range {rule}, got {ranges}"[:200])
    if scales is not None and len(scales) != num_values:
        rule = f"must be one number for each of {num_values} values of a regression"
        raise InputError(f"its noise_scale {rule}, got {len(scales)}")


def _check_embedding(network: SavedNetwork) -> None:
    first, *others = network.layers
    if not all(isinstance(layer, Dense) for layer in others) or not network.dense:
        raise InputError("its embedding must be the first layer, and others must follow")
    if isinstance(first, Periodic):
        places = first.numbers
        if places[-1] >= first.inputs or any(after <= before for before, after in pairwise(places)):
            rule = f"must ascend, below its {first.inputs} inputs"
            raise InputError(f"its embedded numbers {rule}, got {places}"[:200])
