"""Predictions of a saved model for the rows of a table."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmlp.data.columns import NumberColumn, input_widths, used_columns
from jaxmlp.data.encoding import transform_columns
from jaxmlp.data.frames import as_frame, import_pandas
from jaxmlp.models import calibration
from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.runtime.console import warn
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas

    from jaxmlp.data.frames import Table


def predict_table(model: Model, table: "Table") -> "pandas.DataFrame":
    """A prediction for each row of a table, of any kind that ``read_table`` takes: the class's name, of the
    type that it has in the training table, and each class's probability, or the value and the ends of the
    interval that should hold 90 % of what is measured.

    Rows are read as the columns were learnt; lines on stderr tell of cells that are new or cannot be read,
    and of numbers that lie far outside of those that were learnt.
    Raises InputError when the model was not trained on a table, or a column does not fit.
    """
    spec, frame = model.spec, as_frame(table)
    if spec.columns is None:
        raise InputError("model: was not trained on a table; give it arrays, with predict")
    inputs, names = transform_columns(frame, spec.columns), spec.class_names
    warn_far(model, inputs)
    columns: dict[str, Any]
    if names:
        probabilities = predict_proba(model, inputs)
        columns = {"prediction": [names[label] for label in probabilities.argmax(axis=1)]}
        columns |= {f"probability of {name}": probabilities[:, i] for i, name in enumerate(names)}
    else:
        values = predict(model, inputs)
        columns = {"prediction": values}
        if spec.noise_scale is not None:
            margin = calibration.interval_margin(spec.noise_scale[0])
            columns |= {"5 %": values - margin, "95 %": values + margin}
    return import_pandas().DataFrame(columns, index=frame.index)


def warn_far(model: Model, inputs: Float[np.ndarray, "rows inputs"]) -> None:
    """Of columns of which the range is known, tell of numbers that are farther from it than it is wide."""
    if model.quantiles is None:
        return
    columns = used_columns(model.spec.columns or ())
    places = np.cumsum([0, *input_widths(columns)]).tolist()
    names = {
        place: column.name
        for place, column in zip(places, columns, strict=False)
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
