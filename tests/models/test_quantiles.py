"""Tables whose numbers count by their ranks: what each input becomes, and that a model keeps it."""

import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.models import numpy_predictor
from jaxmlp.models.training import fit_scaling
from jaxmlp.nn.preprocessing import scale_on_host
from jaxmlp.types import InputError
from tests.models.test_model import with_tensors

QUICK = {"num_epochs": 3, "progress": False}


@pytest.fixture(scope="module")
def table():
    draws, rows = np.random.default_rng(0), 400
    size = np.exp(3 * draws.normal(size=rows))
    frame = pandas.DataFrame(
        {
            "kind": draws.choice(["a", "b", "c"], rows, p=[0.8, 0.17, 0.03]),
            "size": np.where(draws.random(rows) < 0.1, np.nan, size),
            "sold": draws.choice(["no", "yes"], rows),
            "flag": draws.choice([0.5, 1.5], rows),
            "day": pandas.date_range("2020-01-01", periods=rows, freq="5D"),
            "y": np.log(size) + draws.normal(size=rows),
        }
    )
    return jaxmlp.read_table(frame, "y")


@pytest.fixture(scope="module")
def ranked(table):
    return jaxmlp.fit_mlp(table, numeric_scaling="quantile", learning_rate=0.01, **QUICK).model


def test_each_kind_of_input_is_scaled_in_its_way(table):
    scaling, inputs = fit_scaling(table, "quantile"), table.train.inputs
    # Three kinds, the size and its gaps, two of sold, the flag, the day and its cycles.
    np.testing.assert_array_equal(scaling.quantiles.numbers, [3, *range(8, inputs.shape[1])])
    found = scale_on_host(scaling.inputs, inputs, scaling.quantiles)
    for place in (0, 1, 2, 4):
        np.testing.assert_array_equal(np.unique(found[:, place]), [0, 1])
    for place in (5, 6, 7):
        np.testing.assert_array_equal(np.unique(found[:, place]), [-1, 1])
    np.testing.assert_allclose(np.std(found[:, 8]), 1, rtol=0.01)
    assert np.abs(found).max() < 1.74


def test_every_reader_predicts_alike(tmp_path, table, ranked):
    path = jaxmlp.save(tmp_path / "m", ranked)
    again, alone = jaxmlp.load(path), numpy_predictor.load(path)
    # Some lie outside what was learnt.
    inputs = np.concatenate([table.test.inputs, 9 * table.test.inputs, -table.test.inputs])
    expected = jaxmlp.predict(ranked, inputs)
    np.testing.assert_array_equal(jaxmlp.predict(again, inputs), expected)
    np.testing.assert_allclose(numpy_predictor.predict(alone, inputs), expected, rtol=1e-4, atol=1e-5)
    # What was measured while it trained is what its model does.
    reached = jaxmlp.evaluate(again, table.validation)["r2"]
    np.testing.assert_allclose(reached, ranked.spec.metrics["validation_r2"], rtol=1e-4)
    far = table.test.inputs.copy()
    far[:, 3] = 1e30
    assert np.abs(jaxmlp.predict(again, far)).max() < 100


def test_a_table_of_single_precision_meets_doubles(tmp_path):
    rows = np.random.default_rng(0).choice([0.1, 0.2, 0.3, 0.7], (200, 1), p=[0.1, 0.6, 0.2, 0.1])
    splits = jaxmlp.from_arrays(rows.astype(np.float32), rows[:, 0])
    path = jaxmlp.save(tmp_path / "m", jaxmlp.fit_mlp(splits, numeric_scaling="quantile", **QUICK).model)
    for reader, model in ((jaxmlp, jaxmlp.load(path)), (numpy_predictor, numpy_predictor.load(path))):
        single, double = (reader.predict(model, rows.astype(kind)) for kind in (np.float32, float))
        np.testing.assert_array_equal(single, double)


def test_a_run_goes_on_with_the_quantiles_of_a_model(table, ranked):
    options = QUICK | {"start": ranked, "learning_rate": 1e-12}
    still = jaxmlp.fit_mlp(table, **options).model
    inputs = table.test.inputs
    np.testing.assert_allclose(jaxmlp.predict(still, inputs), jaxmlp.predict(ranked, inputs), rtol=1e-5)
    jaxmlp.fit_mlp(table, numeric_scaling="quantile", **options)
    with pytest.raises(InputError, match=r"^numeric_scaling: is that of start, quantile, got standard"):
        jaxmlp.fit_mlp(table, numeric_scaling="standard", **options)


def test_what_has_no_quantiles_is_refused():
    images = jaxmlp.from_arrays(np.arange(960, dtype=np.uint8).reshape(60, 4, 4), np.arange(60) % 3)
    with pytest.raises(InputError, match=r"^numeric_scaling: quantiles are for the columns of a table"):
        jaxmlp.fit_mlp(images, numeric_scaling="quantile", **QUICK)
    with pytest.raises(InputError, match=r"^numeric_scaling: unknown name 'quantiles'; did you mean"):
        jaxmlp.fit_mlp(images, numeric_scaling="quantiles", **QUICK)


def test_a_table_of_categories_alone_has_no_ranks(tmp_path):
    frame = pandas.DataFrame({"kind": list("abc") * 40, "flag": [0, 5] * 60, "y": list("nyyn") * 30})
    splits = jaxmlp.read_table(frame, "y")
    model = jaxmlp.fit_mlp(splits, numeric_scaling="quantile", **QUICK).model
    assert model.quantiles is None and jaxmlp.load(jaxmlp.save(tmp_path / "m", model)).quantiles is None


KNOTS = np.sort(np.random.default_rng(0).normal(size=(2, 5)))
DAMAGED = {
    "no places": ({"numbers": None}, "lacks or adds the tensor 'preprocess.numbers'"),
    "no knots": ({"knots": None}, "lacks or adds the tensor 'preprocess.knots'"),
    "places that descend": ({"numbers": np.array([3, 1])}, r"numbers must ascend, below its .* got \[3, 1\]"),
    "a place that is not there": ({"numbers": np.array([0, 99])}, "preprocess.numbers must ascend, below"),
    "a place below 0": ({"numbers": np.array([-1, 2])}, "preprocess.numbers must ascend, below"),
    "places that are no whole numbers": ({"numbers": np.array([0.0, 2.0])}, "preprocess.numbers must ascend"),
    "places in rows": ({"numbers": np.array([[0, 2]])}, "preprocess.numbers must ascend"),
    "no place": ({"numbers": np.zeros(0, int), "knots": np.zeros((0, 5))}, "preprocess.numbers must ascend"),
    "a row too many": ({"knots": np.zeros((3, 5))}, "a row of floats for each of 2 numbers, got float64 of"),
    "a single knot": ({"knots": np.zeros((2, 1))}, "a row of floats for each of 2 numbers"),
    "whole knots": ({"knots": np.zeros((2, 5), int)}, "a row of floats for each of 2 numbers, got int64"),
    "knots that descend": ({"knots": KNOTS[:, ::-1]}, "preprocess.knots must ascend in each row"),
    "a knot that is no number": ({"knots": np.array([[0, np.nan]] * 2)}, "preprocess.knots has values that"),
    "an infinite knot": ({"knots": np.array([[0, np.inf]] * 2)}, "preprocess.knots has values that are not"),
}


@pytest.mark.parametrize(("changes", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_quantiles_are_refused(tmp_path, ranked, changes, message):
    path = jaxmlp.save(tmp_path / "m", ranked)
    tensors = {"numbers": np.array([0, 2]), "knots": KNOTS} | changes
    damage = with_tensors(**{f"preprocess_{name}": value for name, value in tensors.items()})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=message):
        jaxmlp.load(path)


def test_new_numbers_far_from_what_was_learnt_are_told(capsys):
    frame = pandas.DataFrame({"width": np.linspace(10, 20, 60), "answer": np.tile(["no", "yes"], 30)})
    options = {"numeric_scaling": "quantile", "num_epochs": 1, "progress": False}
    model = jaxmlp.fit_mlp(jaxmlp.read_table(frame, "answer", test_fraction=0.0), **options).model
    capsys.readouterr()
    for far, is_told in ((29.0, False), (1.0, False), (9999.0, True), (-999.0, True)):
        jaxmlp.predict_table(model, frame[:5].assign(width=[10, far, 12, 13, far]))
        err = capsys.readouterr().err
        assert ("column 'width': 2 of 5 numbers lie far from what was learnt, 1" in err) == is_told
        assert err.endswith(f", such as {far:g}\n") == is_told


def test_estimators_tell_of_numbers_far_from_what_was_learnt():
    rows, y = np.linspace(10, 20, 60)[:, None], np.tile([0, 1], 30)
    model = jaxmlp.EnsembleClassifier({"hidden_sizes": 4, "depth": 1}, num_folds=2, num_epochs=2).fit(rows, y)
    with pytest.warns(
        UserWarning, match="column 'x0': 1 of 2 numbers lie far from what was learnt, 10 to 20"
    ):
        model.predict([[9999.0], [12.0]])
