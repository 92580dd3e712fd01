"""The columns that inputs came from: which inputs are whose, and their values as people know them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.data.cells import Cells
from jaxmlp.data.columns import CategoryColumn, DateColumn, Used, column_places
from jaxmlp.data.dates import show_day
from jaxmlp.printing import format_number

if TYPE_CHECKING:
    from jaxmlp.data.splits import Splits

Inputs = Float[np.ndarray, "rows inputs"]
Values = Float[np.ndarray, " rows"]
"""Numbers, days, or the places of words among the categories; nan where there is none that was learnt."""
_MAX_POINTS = 12
"""Values of a column at which its effect is asked."""


class InputColumn(NamedTuple):
    """A column with all inputs that it becomes; of arrays, one input."""

    name: str
    first: int
    width: int
    kind: Used | None = None
    """How it was read; None for arrays."""

    @property
    def places(self) -> slice:
        """Those of its inputs."""
        return slice(self.first, self.first + self.width)

    @property
    def is_category(self) -> bool:
        """Whether its inputs say which of several words holds."""
        return isinstance(self.kind, CategoryColumn)


def input_columns(splits: "Splits") -> list[InputColumn]:
    """All columns that were learnt from, in their order; none for images."""
    num_inputs = splits.train.inputs[0].size
    if splits.train.inputs.ndim > 2:
        return []
    if splits.columns is None:
        names = splits.input_names or [f"input {place}" for place in range(num_inputs)]
        return [InputColumn(name, place, 1) for place, name in enumerate(names)]
    return [
        InputColumn(column.name, places.start, len(places), column)
        for column, places in column_places(splits.columns)
    ]


def column_values(column: InputColumn, inputs: Inputs) -> Values:
    """What the column holds in each row."""
    own = np.asarray(inputs[:, column.places], float)
    if column.is_category:
        return np.where(own.any(axis=1), own.argmax(axis=1), np.nan)
    gaps = column.kind is not None and column.kind.gaps  # type: ignore[union-attr]  # a category has none
    return np.where(own[:, 1] > 0, np.nan, own[:, 0]) if gaps else own[:, 0]


def column_words(column: InputColumn, values: Values) -> list[str]:
    """These values as people write them."""
    return [_word(column.kind, value) for value in values.tolist()]


def _word(kind: Used | None, value: float) -> str:
    if isinstance(kind, CategoryColumn):
        return "(another)" if np.isnan(value) else kind.categories[int(value)] or "(missing)"
    if np.isnan(value):
        return "(missing)"
    if isinstance(kind, DateColumn):
        return show_day(value, kind.format).removesuffix(":00")
    return format_number(value)


def encode_values(column: InputColumn, values: Values) -> Inputs:
    """What the column's inputs are for these values."""
    kind, known, cells = column.kind, ~np.isnan(values), values
    if kind is None:
        return values[:, None]
    if isinstance(kind, CategoryColumn):
        words = [None if np.isnan(value) else kind.categories[int(value)] for value in values]
        cells = np.array(words, object)
    return np.column_stack(kind.encode(Cells(cells, known))).astype(float)


def typical_values(column: InputColumn, inputs: Inputs) -> Float[np.ndarray, " points"]:
    """Values that occur, at most 12: the most frequent categories, or numbers from one end to the other, as
    many rows between each two, without the outermost hundredths; what is missing comes last.
    """
    values = column_values(column, inputs)
    known, gaps = values[~np.isnan(values)], values[np.isnan(values)][:1]
    different, counts = np.unique(known, return_counts=True)
    if column.is_category:
        chosen = np.sort(different[np.argsort(-counts, kind="stable")[:_MAX_POINTS]])
        return chosen.astype(float)
    if len(different) > _MAX_POINTS:
        shares = np.linspace(0.01, 0.99, _MAX_POINTS)
        different = np.unique(np.quantile(known, shares, method="nearest"))
    return np.concatenate([different, gaps])


def tree_inputs(columns: Sequence[InputColumn], inputs: Shaped[np.ndarray, "rows inputs"]) -> np.ndarray:
    """One number for each column as trees take them: nan for a gap, its place for a category."""
    return np.column_stack([column_values(column, inputs) for column in columns])
