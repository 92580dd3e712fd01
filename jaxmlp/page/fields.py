"""What stands in the columns of a table, for the controls of a page: from where to where, and the middle."""

import math
from typing import Any

import numpy as np

from jaxmlp.data.columns import CategoryColumn, DateColumn, column_places
from jaxmlp.models.model import Model

_DEVIATIONS = math.sqrt(3)
"""How far a control reaches on both sides of the mean, where quantiles are not known: as far as values that
are spread evenly."""


def describe_fields(model: Model) -> list[dict[str, Any]] | None:
    """A control for each column of the table that the model learnt from, or for each of its inputs; None for
    images.
    """
    spec = model.spec
    if len(spec.input_shape) > 1:
        return None
    if spec.columns is None:
        return [_number(model, place, f"input {place + 1}") for place in range(spec.input_shape[0])]
    fields = []
    for column, places in column_places(spec.columns):
        if isinstance(column, CategoryColumn):
            fields.append(_category(model, places.start, column))
        else:
            kind = "date" if isinstance(column, DateColumn) else "number"
            fields.append(_number(model, places.start, column.name, kind) | {"start": column.fill})
    return fields


def _number(model: Model, place: int, name: str, kind: str = "number") -> dict[str, Any]:
    low, middle, high = _range(model, place)
    return {"kind": kind, "name": name, "low": low, "high": high, "start": middle}


def _range(model: Model, place: int) -> tuple[float, float, float]:
    """The lowest training value, the median and the highest; or what mean and deviation say of them."""
    if model.quantiles is not None and place in model.quantiles.numbers:
        knots = model.quantiles.knots[model.quantiles.numbers.tolist().index(place)].astype(float)
        return float(knots[0]), float(np.median(knots)), float(knots[-1])
    shift, scale = (np.broadcast_to(part, model.spec.input_shape)[place] for part in model.affine)
    reach = _DEVIATIONS * float(scale) if np.isfinite(scale) else 1.0
    # An estimate, so told in round numbers, none of which is -0.
    digits = 1 - math.floor(math.log10(reach))
    low, high = (round(float(shift) + side * reach, digits) + 0.0 for side in (-1, 1))
    return low, float(shift), high


def _category(model: Model, place: int, column: CategoryColumn) -> dict[str, Any]:
    """Where each category is standardised, its mean is its share, and the most frequent one is the middle."""
    shares = np.broadcast_to(model.affine.shift, model.spec.input_shape)[place:][: len(column.categories)]
    start = column.categories[int(np.argmax(shares))]
    return {"kind": "category", "name": column.name, "categories": column.categories, "start": start}
