"""What a saved model's weights mean: the description stored beside them, its JSON and its rules."""

import functools
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxmlp import checks
from jaxmlp.data.columns import Column
from jaxmlp.nn import mlp
from jaxmlp.nn.heads import HEADS
from jaxmlp.runtime.files import strict_json
from jaxmlp.types import InputError

FORMAT = 3


class Form(NamedTuple):
    """What one network of a model looks like."""

    layer_sizes: tuple[int, ...]
    """Inputs, hidden…, outputs."""
    activation: str
    """A name in ``mlp.ACTIVATIONS``."""
    votes: int = 1
    """How often the network counts in the average."""


class Description(NamedTuple):
    """What the weights mean; stored as JSON beside them."""

    networks: tuple[Form, ...]
    """One, or those of an ensemble."""
    head: str
    """A name in ``heads.HEADS``."""
    input_shape: tuple[int, ...]
    """Shape of one raw example."""
    class_names: tuple[str, ...]
    """One for each class, in the order of the labels; none for a regression."""
    dataset: str
    """The name of the training data."""
    metrics: dict[str, float]
    """What was measured, by name."""
    versions: dict[str, str | None]
    """Package → version at the time of training; None for one that ran without being installed."""
    ink_box: float | None = None
    """Share of the image's side that a drawing fills in the training images; None where nothing is drawn."""
    temperature: float = 1.0
    """Probabilities are raised to the power of its inverse and scaled back to the sum 1 (Guo et al. 2017)."""
    noise_scale: tuple[float, ...] | None = None
    """Standard deviation of what a regression gets wrong, in the targets' unit, one for each output."""
    columns: tuple[Column, ...] | None = None
    """Those of the table that the inputs came from; None where they were arrays."""
    format: int = FORMAT
    """Version of the file format."""


def to_json(description: Description) -> str:
    """The description as one JSON object; InputError for a value that JSON does not have."""
    try:
        # ``item`` turns the scalars of NumPy and JAX into numbers.
        fields = description._asdict() | {"networks": [form._asdict() for form in description.networks]}
        if description.columns is not None:
            fields["columns"] = [column._asdict() for column in description.columns]
        return json.dumps(fields, allow_nan=False, default=lambda value: value.item())
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"description: holds a value that JSON cannot ({error})") from None


def from_json(text: Any) -> Description:
    """The description that ``to_json`` wrote.

    Raises InputError unless every field is there and of its type, and they agree with each other.
    """
    fields = strict_json(text, "description")
    _check_format(fields.get("format") if isinstance(fields, dict) else None)
    differing = sorted(set(fields) ^ set(Description._fields))
    if differing:
        raise InputError(f"its description lacks or adds the field {differing[0]!r}; save the model again")
    for name, (valid, rule) in _FIELDS.items():
        if not valid(fields[name]):
            raise InputError(f"its description's {name} must be {rule}, got {fields[name]!r:.80}")
    fields["networks"] = [
        Form(**(form | {"layer_sizes": tuple(form["layer_sizes"])})) for form in fields["networks"]
    ]
    if fields["columns"] is not None:
        fields["columns"] = [
            Column(**(column | {"categories": tuple(column["categories"])})) for column in fields["columns"]
        ]
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    description = Description(**(fields | lists))
    _check_agreement(description)
    return description


def _check_format(number: Any) -> None:
    if type(number) is int and number > FORMAT:
        raise InputError(f"has format {number}, and this jaxmlp reads {FORMAT}; upgrade jaxmlp to read it")
    if type(number) is not int or number != FORMAT:
        raise InputError(
            f"its description's format must be {FORMAT}, got {number!r:.80}; save the model again"
        )


def _check_agreement(description: Description) -> None:
    checks.known_name("head", description.head, HEADS)
    num_outputs = description.networks[0].layer_sizes[-1]
    for layer_sizes, activation, _ in description.networks:
        checks.known_name("activation", activation, mlp.ACTIVATIONS)
        if math.prod(description.input_shape) != layer_sizes[0]:
            raise InputError(
                f"its input_shape {description.input_shape} does not hold {layer_sizes[0]} inputs"
            )
        if layer_sizes[-1] != num_outputs:
            raise InputError(
                f"its networks have {num_outputs} and {layer_sizes[-1]} outputs; save them apart"
            )
    num_classes = len(description.class_names)
    fitting = {"binary": (1, 2), "regression": (num_outputs, 0)}.get(
        description.head, (num_outputs, num_outputs)
    )
    if (num_outputs, num_classes) != fitting:
        raise InputError(
            f"its head {description.head!r} wants {fitting[0]} outputs and {fitting[1]} class_names, "
            f"got {num_outputs} and {num_classes}"
        )


def _is_form(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(Form._fields)
        and _is_list(_is_size, 2, value["layer_sizes"])
        and _is_text(value["activation"])
        and _is_size(value["votes"])
    )


def _is_column(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(Column._fields)
        and _is_text(value["name"])
        and (value["fill"] is None or _is_number(value["fill"]))
        and type(value["gaps"]) is bool
        and _is_list(_is_text, 0, value["categories"])
    )


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(valid: Callable[[Any], bool], at_least: int, value: Any) -> bool:
    return isinstance(value, list) and len(value) >= at_least and all(map(valid, value))


def _is_table(valid: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, dict) and all(map(valid, value.values()))


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "networks": (
        functools.partial(_is_list, _is_form, 1),
        "one or more, each with its layer_sizes (two or more whole numbers above 0), activation and votes",
    ),
    "head": (_is_text, "a name"),
    "input_shape": (functools.partial(_is_list, _is_size, 1), "whole numbers above 0"),
    "class_names": (functools.partial(_is_list, _is_text, 0), "a list of names"),
    "dataset": (_is_text, "a name"),
    "metrics": (functools.partial(_is_table, _is_number), "finite numbers by name"),
    "versions": (
        functools.partial(_is_table, lambda value: value is None or _is_text(value)),
        "versions by name",
    ),
    "columns": (
        lambda value: value is None or _is_list(_is_column, 1, value),
        "null or columns, each with its name, fill, gaps and categories",
    ),
    "temperature": (_is_positive, "a finite number above 0"),
    "noise_scale": (
        lambda value: value is None or _is_list(_is_positive, 1, value),
        "null or finite numbers above 0",
    ),
    "ink_box": (lambda value: value is None or (_is_number(value) and 0 < value <= 1), "null or in (0, 1]"),
}
