"""The columns of a table as its training rows have them."""

from collections.abc import Mapping

import numpy as np

from jaxmlp.data.cells import Cells
from jaxmlp.data.columns import Column, DroppedColumn, Used, used_columns
from jaxmlp.data.encoding import read_cells
from jaxmlp.data.inference import infer_columns
from jaxmlp.data.notes import note_columns
from jaxmlp.data.remarks import remark_columns, remark_last_row
from jaxmlp.runtime.console import note, warn
from jaxmlp.types import DataFrame, InputError


def learn_columns(
    frame: DataFrame, rows: np.ndarray, said: Mapping[str, str]
) -> tuple[tuple[Column, ...], list[tuple[Used, Cells]]]:
    """The columns as the training ``rows`` have them, and the cells of those that are used; what ``said``
    does not say, and might not be expected, is told on stderr. InputError where none is left.
    """
    columns = infer_columns(frame, said)
    cells = {column.name: own for column, own in read_cells(frame, columns)}
    learnt = tuple(
        column if isinstance(column, DroppedColumn) else column.fit(cells[column.name].take(rows))
        for column in columns
    )
    for remark in remark_columns(learnt, cells, frame, said) + remark_last_row(frame):
        warn(remark)
    for remark in note_columns(learnt, cells, frame, said):
        note(remark)
    if not used_columns(learnt):
        raise InputError(
            f"table: no column is left to learn from; {learnt[0].name!r} is {learnt[0].describe()}"
        )
    return learnt, [(column, cells[column.name]) for column in used_columns(learnt)]
