"""The target of new rows, of which some were not learnt."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmlp.data.targets import UNKNOWN, read_known, transform_targets
from jaxmlp.types import InputError

CLASSES = st.sampled_from([("no", "yes"), (False, True), (0, 1, 2), ("a", "NA"), (0.5, 1.0)])


@settings(deadline=None, max_examples=60, derandomize=True)
@given(CLASSES, st.integers(0, 2**16), st.booleans())
def test_rows_of_known_classes_have_the_labels_that_they_have_alone(classes, seed, as_text):
    draws = np.random.default_rng(seed)
    labels = draws.integers(-2, len(classes), 30)
    cells = [[*classes, None, "perhaps"][label] for label in labels.tolist()]
    if as_text:
        cells = ["" if cell is None else str(cell) for cell in cells]
    found, missing = read_known(pd.Series(cells, dtype=object, name="y"), None, classes)
    assert found.tolist() == np.where(labels == -2, UNKNOWN, labels).tolist()
    assert missing.tolist() == (labels == -2).tolist()
    if len(there := [cell for cell, label in zip(cells, labels, strict=True) if label >= 0]):
        alone = transform_targets(pd.Series(there, dtype=object, name="y"), classes)
        assert alone.tolist() == labels[labels >= 0].tolist()


@pytest.mark.parametrize(
    ("cells", "kind", "values", "missing"),
    [
        (["1.5", "?", "", "NA", "1e3"], None, [1.5, None, None, None, 1000], [2, 3]),
        (["1,5", "abc", "1.234,5"], "decimal-comma", [1.5, None, 1234.5], []),
        (["1.5 €", "2 €", "x"], "decimal-point", [1.5, 2, None], []),
        ([1.5, None], "decimal-comma", [1.5, None], [1]),
        (pd.date_range("2024", periods=2), None, [None, None], []),
    ],
)
def test_numbers_that_cannot_be_read_are_none_and_the_others_stay(cells, kind, values, missing):
    found, where = read_known(pd.Series(cells, name="y"), kind, ())
    assert [None if np.isnan(one) else one for one in found.tolist()] == values
    assert np.flatnonzero(where).tolist() == missing


def test_numbers_of_another_decimal_mark_are_not_measured():
    with pytest.raises(InputError, match="column 'y': has decimal commas, as in '1,5', and it was learnt"):
        read_known(pd.Series(["1,5", "2,25"], name="y"), None, ())
