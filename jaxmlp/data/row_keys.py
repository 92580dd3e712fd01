"""The columns of a table that say which rows belong together, or when they were."""

import shlex
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxmlp.data.cells import as_words, shown, tell_alike
from jaxmlp.data.columns import CategoryColumn, DroppedColumn
from jaxmlp.data.inference import infer_columns
from jaxmlp.runtime.console import warn
from jaxmlp.types import DataFrame, InputError, Series


class KeyColumn(NamedTuple):
    """A column whose values are no input, but decide how rows are split."""

    argument: str
    """What it was named as, of ``from_arrays``: groups, or time."""
    name: str
    read: Callable[[Series], Shaped[np.ndarray, " rows"]]
    """Its groups as words, or its times as numbers; "" or nan where there is none."""

    def read_all(self, frame: DataFrame) -> Shaped[np.ndarray, " rows"]:
        """What all rows have; groups that look alike are told. InputError where one has nothing, or what
        cannot be read.
        """
        values = self.read(frame[self.name])
        missing = values == "" if self.argument == "groups" else np.isnan(values)
        if missing.any():
            raise InputError(
                f"{self.argument}: column {self.name!r} is missing or cannot be read in {missing.sum()} of "
                f"{len(frame)} rows, as {shown(frame[self.name][missing])}; fill or drop them"
            )
        for told in tell_alike({*values.tolist()}, "groups") if self.argument == "groups" else ():
            warn(f"groups: {told}")
        return values

    def tell_shared(self, rows: DataFrame, frame: DataFrame) -> None:
        """Say it where a part's own ``rows`` have groups, or times, of those in ``frame``, the table that is
        split.
        """
        if self.name not in rows:
            return
        own, others = self.read(rows[self.name]), self.read(frame[self.name])
        if self.argument == "groups":
            groups = {*others.tolist()}
            seen, what = np.array([one in groups for one in own.tolist()]), "of groups"
        else:
            seen, what = own <= others.max(), "no later than rows"
        if seen.any():
            share = f"{seen.sum():,} of {len(seen):,} rows"
            warn(f"{share} are {what} that the table has, too, by {self.name!r}")


def find_keys(
    frame: DataFrame, groups: str | None, time: str | None, said: Mapping[str, str]
) -> list[KeyColumn]:
    """The columns of these names; how a time is written is found as that of any column, or ``said``.
    InputError for words as a time.
    """
    found = [] if groups is None else [KeyColumn("groups", groups, as_words)]
    return found if time is None else [*found, _find_time(frame, time, said)]


def _find_time(frame: DataFrame, name: str, said: Mapping[str, str]) -> KeyColumn:
    own = {name: said[name]} if name in said else {}
    (column,) = infer_columns(frame[[name]], own)
    if isinstance(column, CategoryColumn | DroppedColumn):
        raise InputError(
            f"time: column {name!r} must hold dates or numbers, which have an order, got "
            f"{shown(frame[name])}; where it does, say it as --column {shlex.quote(name)}=day-first, or "
            f"columns={{{name!r}: 'day-first'}}"
        )
    warn(
        f"column {name!r}: orders the rows and is no input, since what is to be predicted is later than all "
        "that was learnt; a copy of it under another name is an input"
    )
    return KeyColumn("time", name, lambda values: column.read(values).values)
