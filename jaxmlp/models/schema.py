"""What a saved model's weights mean: the specification stored beside them as JSON, and its rules."""

import math
import sys
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from jaxmlp import checks
from jaxmlp.data.columns import Column
from jaxmlp.nn import mlp
from jaxmlp.nn.heads import HEADS
from jaxmlp.runtime.files import strict_json
from jaxmlp.types import InputError

FORMAT = 3
# JSON knows no infinity, but a number with a large exponent reads as one.
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
Size = Annotated[int, Meta(gt=0)]


class SavedNetwork(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"count": "votes"}):
    """What one network of a model looks like."""

    layer_sizes: Annotated[tuple[Size, ...], Meta(min_length=2)]
    """Inputs, hidden…, outputs."""
    activation: str
    """A name in ``mlp.ACTIVATIONS``."""
    count: Size = 1
    """How often the network counts in the average."""


class ModelSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"drawing_extent": "ink_box"}
):
    """What the weights mean; stored as JSON beside them."""

    networks: Annotated[tuple[SavedNetwork, ...], Meta(min_length=1)]
    """One, or those of an ensemble."""
    head: str
    """A name in ``heads.HEADS``."""
    input_shape: Annotated[tuple[Size, ...], Meta(min_length=1)]
    """Shape of one raw example."""
    class_names: tuple[str, ...]
    """One for each class, in the order of the labels; none for a regression."""
    dataset: str
    """The name of the training data."""
    metrics: dict[str, Finite]
    """What was measured, by name."""
    versions: dict[str, str | None]
    """Package → version at the time of training; None for one that ran without being installed."""
    drawing_extent: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Share of the image's side that a drawing fills in the training images; None where nothing is drawn."""
    temperature: Positive = 1.0
    """Probabilities are raised to the power of its inverse and scaled back to the sum 1 (Guo et al. 2017)."""
    noise_scale: Annotated[tuple[Positive, ...], Meta(min_length=1)] | None = None
    """Standard deviation of what a regression gets wrong, in the targets' unit, one for each output."""
    columns: Annotated[tuple[Column, ...], Meta(min_length=1)] | None = None
    """Those of the table that the inputs came from; None where they were arrays."""
    format: int = FORMAT
    """Version of the file format."""


def to_json(spec: ModelSpec) -> str:
    """The specification as one JSON object; InputError for a value that JSON does not have."""
    try:
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
        spec = msgspec.convert(fields, ModelSpec)
    except msgspec.ValidationError as error:
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
    if type(number) is not int or number != FORMAT:
        raise InputError(
            f"its description's format must be {FORMAT}, got {number!r:.80}; save the model again"
        )


def _check_agreement(spec: ModelSpec) -> None:
    checks.known_name("head", spec.head, HEADS)
    num_outputs = spec.networks[0].layer_sizes[-1]
    for network in spec.networks:
        num_inputs, *_, last = network.layer_sizes
        checks.known_name("activation", network.activation, mlp.ACTIVATIONS)
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
