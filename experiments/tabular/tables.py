"""The tables that the systems are compared on, and the rows that each split gives them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from experiments.harness.provenance import CHECKOUT
from jaxmlp.types import InputError

Frame = Any
"""A pandas.DataFrame; pandas is an extra, imported where it is needed."""
TARGET = "target"
MAX_ROWS, TRIAL_ROWS = 12_000, 300
SMALL = 2_000
"""Fewer rows than these are a small table."""
MAX_CLASSES = 20
"""A target of at most so many different whole numbers is one of classes, as for ``read_table``."""
BESIDE = CHECKOUT.parent / "shared" / "tables"
"""Where tables are looked for if no folder is named."""
_SHIPPED: dict[str, Callable[..., Any]] = {
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    # Scaled, its columns would already carry the mean and spread of the test rows.
    "diabetes": partial(datasets.load_diabetes, scaled=False),
    "digits": datasets.load_digits,
}


class Split(NamedTuple):
    """The rows of one table, cut in two; classes are numbers that count the names in ``classes``."""

    train: Frame
    test: Frame
    train_targets: np.ndarray
    test_targets: np.ndarray
    classes: tuple[str, ...]
    """None of a table of real values."""
    seed: int


def find_tables(folder: Path | None) -> dict[str, str]:
    """What ``read_rows`` takes, by the names of the tables: those that scikit-learn ships, then the CSV files
    in ``folder``, by default one beside the repository; a line says so if there is none.

    InputError if the folder holds none.
    """
    sources = {name: name for name in _SHIPPED}
    if folder is None and not BESIDE.is_dir():
        print("tables: only those that scikit-learn ships; --tables FOLDER brings CSV files of one's own")
        return sources
    folder = folder or BESIDE
    paths = sorted(folder.glob("*.csv*"))
    if not paths:
        raise InputError(f"tables: must be a folder of CSV files, but there are none in {str(folder)!r}")
    return sources | {path.name.partition(".csv")[0]: str(path.resolve()) for path in paths}


def read_rows(source: str, trial: bool = False) -> Frame:
    """At most 12,000 rows of a table, or 300, whose gaps are nan in a column of numbers and else the empty
    word.

    InputError if there is no column called target.
    """
    import pandas

    if source in _SHIPPED:
        frame = _SHIPPED[source](as_frame=True).frame
    else:
        frame = pandas.read_csv(source, keep_default_na=False, na_values=[""])
    if TARGET not in frame:
        raise InputError(f"tables: {source!r} must have a column called {TARGET!r}")
    words = frame.select_dtypes(exclude="number").columns
    frame[words] = frame[words].astype(object).fillna("").astype(str)
    most = TRIAL_ROWS if trial else MAX_ROWS
    return frame.sample(most, random_state=0) if len(frame) > most else frame


def cut(frame: Frame, seed: int) -> Split:
    """Four fifths to train on and one to test on, each with its share of every class."""
    inputs, (targets, classes) = frame.drop(columns=TARGET), read_targets(frame[TARGET])
    stratify = targets if classes else None
    train, test, *both = train_test_split(
        inputs, targets, test_size=0.2, random_state=seed, stratify=stratify
    )
    return Split(train, test, both[0], both[1], classes, seed)


def read_targets(column: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Real values and no classes, or numbers of the classes and their names."""
    numeric = column.dtype.kind in "iuf"
    few = column.nunique() <= MAX_CLASSES
    if numeric and not (few and np.all(column % 1 == 0)):
        return column.to_numpy(float), ()
    whole = column.astype(int) if numeric else column
    classes, labels = np.unique(whole, return_inverse=True)
    return labels, tuple(map(str, classes))
