"""Predictions of a saved model for the rows of a table."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmlp.data.columns import NumberColumn, column_places
from jaxmlp.data.encoding import transform_columns
from jaxmlp.data.frames import Table, as_frame, import_pandas
from jaxmlp.models import calibration
from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.models.schema import ModelSpec
from jaxmlp.runtime.console import warn
from jaxmlp.types import DataFrame, InputError


def predict_table(model: Model, table: Table) -> DataFrame:
    """A prediction for each row of a table, of any kind that ``read_table`` takes: the class's name, of the
    type that it has in the training table, and each class's probability, or of each target the value and the
    ends of the interval that should hold 90 % of what is measured.

    Rows are read as the columns were learnt; lines on stderr tell of cells that are new or cannot be read,
    and of numbers that lie far outside of those that were learnt.
    Raises InputError when the model was not trained on a table, or a column does not fit.
    """
    spec, frame = model.spec, as_frame(table)
    if spec.columns is None:
        raise InputError("model: was not trained on a table; give it arrays, with predict")
    inputs, names = transform_columns(frame, spec.columns), spec.class_names
    warn_far(model, inputs)
    if names:
        probabilities = predict_proba(model, inputs)
        columns: dict[str, Any] = {"prediction": [names[label] for label in probabilities.argmax(axis=1)]}
        columns |= {f"probability of {name}": probabilities[:, i] for i, name in enumerate(names)}
    else:
        columns = _value_columns(spec, predict(model, inputs))
    return import_pandas().DataFrame(columns, index=frame.index)


def _value_columns(spec: ModelSpec, values: Float[np.ndarray, "rows ..."]) -> dict[str, Any]:
    """Of each target the values, and where the errors are known the ends of their intervals."""
    columns: dict[str, Any] = {}
    several, values = values.ndim > 1, values.reshape(len(values), -1)
    for place, own in enumerate(values.T):
        of = f" of target {place + 1}" if several else ""
        columns[f"prediction{of}"] = own
        if spec.noise_scale is not None:
            margin = calibration.interval_margin(spec.noise_scale[place])
            columns |= {f"5 %{of}": own - margin, f"95 %{of}": own + margin}
    return columns


def warn_far(model: Model, inputs: Float[np.ndarray, "rows inputs"]) -> None:
    """Of columns of which the range is known, tell of numbers that are farther from it than it is wide."""
    if model.quantiles is None:
        return
    names = {
        places.start: column.name
        for column, places in column_places(model.spec.columns or ())
        if isinstance(column, NumberColumn)
    }
    for place, knots in zip(model.quantiles.numbers.tolist(), model.quantiles.knots, strict=True):
        low, high = float(knots[0]), float(knots[-1])
        values = inputs[:, place]
        far = values[np.maximum(low - values, values - high) > high - low]
        if place in names and len(far):
            warn(
                f"column {names[place]!r}: {len(far):,} of {len(values):,} numbers lie far from what was "
                f"learnt, {low:.6g} to {high:.6g}, such as {far[0]:.6g}"
            )
