"""Laws that hold for tables of any mixture of columns, as people have them."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import jaxmlp
from jaxmlp.data.encoding import transform_columns
from jaxmlp.models import numpy_predictor
from jaxmlp.types import InputError

# Each example is a network of its own, and compiled anew: too dear to look for a smaller one that fails.
PHASES = (Phase.explicit, Phase.generate)
few = settings(max_examples=8, deadline=None, derandomize=True, phases=PHASES)
many = settings(max_examples=150, deadline=None, derandomize=True, phases=PHASES)
NUM_ROWS = 48
DAY = np.timedelta64(1, "D")
COLUMNS = {
    "floats": lambda draws, size: draws.normal(size=NUM_ROWS) * 10.0 ** (6 * size),
    "far floats": lambda draws, size: 1e12 + 1e3 * draws.normal(size=NUM_ROWS),
    "whole": lambda draws, size: draws.integers(0, 2 + abs(size), NUM_ROWS),
    "long whole": lambda draws, size: 2**60 + draws.integers(0, 2**55, NUM_ROWS),
    "nullable": lambda draws, size: pd.array(draws.integers(0, 9, NUM_ROWS), "Int64"),
    "truth": lambda draws, size: draws.random(NUM_ROWS) < 0.5,
    "words": lambda draws, size: draws.choice([f"w{i}" for i in range(2 + 4 * abs(size))], NUM_ROWS),
    "codes": lambda draws, size: draws.choice([f"{i:03}" for i in range(2 + abs(size))], NUM_ROWS),
    "mixed": lambda draws, size: draws.choice(np.array([1, "a", 2.5, True], object), NUM_ROWS),
    "dates": lambda draws, size: np.datetime64("2020-01-01") + draws.integers(0, 999, NUM_ROWS) * DAY,
    "date texts": lambda draws, size: [f"{d.day}.{d.month}.{d.year}" for d in days(draws)],
    "grouped": lambda draws, size: [f"{x:,.2f} €" for x in 1e6 * draws.normal(size=NUM_ROWS)],
    "months": lambda draws, size: pd.PeriodIndex(days(draws), freq="M"),
    "constant": lambda draws, size: [size] * NUM_ROWS,
    "empty": lambda draws, size: [None] * NUM_ROWS,
}
TARGETS = {
    "words": lambda draws: draws.choice(["yes", "no ", "NA"], NUM_ROWS),
    "truth": lambda draws: draws.random(NUM_ROWS) < 0.5,
    "whole": lambda draws: draws.integers(3, 6, NUM_ROWS),
    "far floats": lambda draws: 1e9 + draws.normal(size=NUM_ROWS),
    "large floats": lambda draws: 1e30 * draws.normal(size=NUM_ROWS),
    "small floats": lambda draws: 1e-30 * draws.normal(size=NUM_ROWS),
}
KIND = st.tuples(st.sampled_from(sorted(COLUMNS)), st.integers(-5, 5), st.sampled_from([0, 0, 0.1, 0.5]))
TABLE = st.tuples(
    st.integers(0, 2**16),
    st.lists(KIND, min_size=1, max_size=5).map(lambda kinds: [("floats", 0, 0), *kinds]),
    st.sampled_from(sorted(TARGETS)),
)

FLOATS = st.sampled_from(["floats", "far floats"])


def days(draws):
    return pd.Timestamp("2020-01-13") + pd.to_timedelta(draws.integers(0, 999, NUM_ROWS), "D")


def make_frame(table):
    """A table with gaps, whose last column is the target."""
    seed, kinds, target = table
    draws, frame = np.random.default_rng(seed), pd.DataFrame()
    for number, (kind, size, gaps) in enumerate(kinds):
        values = pd.Series(COLUMNS[kind](draws, size))
        frame[f"{kind} {number}"] = values.mask(draws.random(NUM_ROWS) < gaps)
    return frame.assign(target=TARGETS[target](draws))


def fitted(frame):
    """The splits and a network, or None where the table cannot be learnt from, which is told in a line."""
    try:
        splits = jaxmlp.read_table(frame, "target", validation_fraction=0.25, test_fraction=0.25)
        result = jaxmlp.fit_mlp(splits, hidden_sizes=(4,), num_epochs=1, progress=False)
    except InputError as error:
        assert "\n" not in str(error)
        return None
    return splits, result.model


def numbers_of(rows):
    """Probabilities, or values and their intervals."""
    return rows.iloc[:, 1 if rows.columns[1].startswith("probability") else 0 :].to_numpy(float)


def check_closes(table):
    frame = make_frame(table)
    assume((found := fitted(frame)) is not None)
    splits, model = found
    new = frame.drop(columns="target")
    with tempfile.TemporaryDirectory() as folder:
        path = jaxmlp.save(Path(folder) / "model.safetensors", model)
        loaded, alone = jaxmlp.load(path), numpy_predictor.load(path)
        new.to_csv(Path(folder) / "new.csv", index=False)
        from_file = jaxmlp.predict_table(loaded, Path(folder) / "new.csv")
    rows = jaxmlp.predict_table(model, new)
    assert np.isfinite(numbers_of(rows)).all()
    pd.testing.assert_frame_equal(rows, jaxmlp.predict_table(loaded, new))
    inputs = transform_columns(new, splits.columns)
    answers = numpy_predictor.predict_proba if splits.class_names else numpy_predictor.predict
    wanted = numbers_of(rows) if splits.class_names else rows["prediction"]
    np.testing.assert_allclose(answers(alone, inputs), wanted, rtol=1e-4, atol=1e-6)
    check_retyped(model, new, rows, from_file)


def check_retyped(model, new, rows, from_file):
    """The same rows in another order, with other types, and from a file."""
    wanted, close = numbers_of(rows), {"rtol": 1e-5, "atol": 1e-6}
    turned = new.iloc[::-1, ::-1]
    np.testing.assert_allclose(numbers_of(jaxmlp.predict_table(model, turned))[::-1], wanted, **close)
    np.testing.assert_allclose(numbers_of(jaxmlp.predict_table(model, new.astype(object))), wanted, **close)
    np.testing.assert_allclose(numbers_of(from_file), wanted, **close)


@few
@given(TABLE)
def test_a_table_of_any_columns_closes_from_fit_to_predictions(table):
    check_closes(table)


@pytest.mark.long
@many
@given(TABLE)
def test_many_tables_of_any_columns_close_from_fit_to_predictions(table):
    check_closes(table)


@few
@given(TABLE, st.integers(0, 2**16))
def test_new_rows_that_are_partly_unknown_are_predicted_or_refused(table, seed):
    frame = make_frame(table)
    assume((found := fitted(frame)) is not None)
    draws, new = np.random.default_rng(seed), frame.drop(columns="target").astype(object)
    for name in new:
        odd = draws.choice(np.array([None, "new", np.inf, -1e300, "1e5", b"x", pd.Timestamp("2030")], object))
        new.loc[draws.random(NUM_ROWS) < 0.2, name] = odd
    try:
        rows = jaxmlp.predict_table(found[1], new)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(numbers_of(rows)).all()


@few
@given(
    st.integers(0, 2**16), st.integers(-60, 60), st.integers(-8, 8), st.sampled_from(["floats", "far floats"])
)
def test_a_power_of_two_on_a_column_or_the_target_changes_no_prediction(seed, power, shift, target):
    frame = make_frame((seed, [("floats", 0, 0), ("far floats", 0, 0)], "far floats"))
    first, factor = frame.columns[0], 2.0**power
    frame["target"] = COLUMNS[target](np.random.default_rng(seed), 0)
    plain = jaxmlp.predict_table(fitted(frame)[1], frame)["prediction"]
    centre, spread = np.mean(frame["target"]), np.std(frame["target"])
    scaled = frame.assign(**{first: factor * (frame[first] + 2.0**shift)})
    for other, unit in ((scaled, 1.0), (frame.assign(target=factor * frame["target"]), factor)):
        rows = jaxmlp.predict_table(fitted(other)[1], other)["prediction"]
        np.testing.assert_allclose((rows / unit - centre) / spread, (plain - centre) / spread, atol=1e-4)
