"""Classifiers and regressors by scikit-learn's conventions: what they hand on, keep, say and refuse."""

import pickle
import pickletools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split

import jaxmlp
from jaxmlp.estimators import ensembles
from jaxmlp.estimators.inputs import hold_out
from jaxmlp.models.model import to_bytes
from jaxmlp.sweep import recipes
from jaxmlp.types import InputError

SMALL = {"hidden_sizes": 16, "depth": 1, "embedding": "none", "frequency_scale": 1.0, "dropout": 0.0}
QUICK = {"num_folds": 2, "num_epochs": 8, "batch_size": 32}
MLP = {"hidden_sizes": (8,), "num_epochs": 6, "learning_rate": 0.03, "batch_size": 32}


def ensemble(kind=jaxmlp.EnsembleClassifier, **changes):
    return kind(SMALL, **{"random_state": 3, **QUICK, **changes})


def perceptron(kind=jaxmlp.MLPClassifier, **changes):
    return kind(**{"random_state": 3, **MLP, **changes})


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def flowers():
    """Flowers with a gap in each tenth row, a word for a number, and the names of their kinds."""
    bunch = load_iris(as_frame=True)
    frame = bunch.data.rename(columns=lambda name: name.removesuffix(" (cm)"))
    wide = np.where(frame["sepal width"] > 3, "wide", "narrow")
    frame = frame.assign(**{"sepal width": wide, "seen": pd.date_range("2024-01-01", periods=len(frame))})
    frame.loc[::10, "petal width"] = np.nan
    return frame, pd.Series(bunch.target_names[bunch.target], name="kind")


@pytest.fixture(scope="module")
def fitted(flowers):
    return ensemble().fit(*flowers)


# What they hand on


def test_an_ensemble_is_that_of_the_function_beneath(wine):
    splits = jaxmlp.from_arrays(*wine, split_seed=3, validation_fraction=0.0, test_fraction=0.0)
    found = jaxmlp.fit_ensemble(splits, SMALL, seed=3, progress=False, **QUICK)
    estimator = ensemble().fit(*wine)
    inputs = wine[0]
    np.testing.assert_allclose(
        estimator.predict_proba(inputs), jaxmlp.predict_proba(found.ensemble, inputs), rtol=0, atol=1e-5
    )
    assert estimator.oof_score_ == found.score["accuracy"]
    assert estimator.oof_score_interval_ == found.intervals["accuracy"]
    assert len(estimator.loss_curve_) == len(estimator.validation_curve_) == 8
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]


def test_a_network_is_that_of_the_function_beneath():
    inputs, targets = load_diabetes(return_X_y=True)
    rows = hold_out(targets, 0.2, 3, ())
    splits = jaxmlp.from_arrays(inputs, targets, validation=rows, test_fraction=0.0)
    settings = {"activation": "tanh", "dropout": 0.1, "optimizer": "nadamw", "schedule": "cosine"}
    result = jaxmlp.fit_mlp(splits, seed=3, progress=False, **MLP, **settings)
    estimator = perceptron(jaxmlp.MLPRegressor, validation_fraction=0.2, **settings).fit(inputs, targets)
    np.testing.assert_allclose(
        estimator.predict(inputs), jaxmlp.predict(result.model, inputs), rtol=0, atol=1e-3
    )
    np.testing.assert_array_equal(estimator.validation_curve_, result.history["validation_r2"])
    np.testing.assert_array_equal(estimator.loss_curve_, result.history["train_loss"])


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_a_seed_gives_the_same_bits_and_another_does_not(make, wine):
    one, again, other = (
        make(random_state=seed).fit(*wine).predict_proba(wine[0]) for seed in (0, 0, 2**31 - 1)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_a_random_state_of_numpy_is_drawn_from(wine):
    drawn = [perceptron(random_state=np.random.RandomState(5)).fit(*wine) for _ in range(2)]
    np.testing.assert_array_equal(*(each.predict_proba(wine[0]) for each in drawn))
    assert to_bytes(perceptron(random_state=None).fit(*wine).model_) != to_bytes(drawn[0].model_)


# Frames and arrays


def test_a_frame_has_its_words_gaps_and_dates_read(fitted, flowers):
    frame, kinds = flowers
    assert fitted.feature_names_in_.tolist() == list(frame.columns) and fitted.n_features_in_ == 5
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    read = {column.name: column.describe() for column in fitted.model_.spec.columns}
    assert read["sepal width"] == "2 categories, narrow, wide" and read["seen"].startswith("dates as days")
    assert "whether it was missing" in read["petal width"]
    assert fitted.score(frame, kinds) > 0.9


def test_the_model_predicts_for_tables_as_any_other_does(fitted, flowers):
    table = jaxmlp.predict_table(fitted.model_, flowers[0])
    assert table["prediction"].tolist() == fitted.predict(flowers[0]).tolist()


def test_a_frame_of_polars_is_one_of_pandas(fitted, flowers):
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(flowers[0])
    other = ensemble().fit(frame, polars.Series(flowers[1].tolist()))
    np.testing.assert_array_equal(other.predict_proba(frame), fitted.predict_proba(flowers[0]))
    assert other.feature_names_in_.tolist() == list(flowers[0].columns)


def test_gaps_of_an_array_are_filled_as_those_of_a_table_are(wine):
    inputs, labels = wine
    inputs = np.where(np.random.default_rng(0).random(inputs.shape) < 0.1, np.nan, inputs)
    array = perceptron().fit(inputs, labels)
    frame = perceptron().fit(pd.DataFrame(inputs), labels)
    np.testing.assert_array_equal(array.predict_proba(inputs), frame.predict_proba(pd.DataFrame(inputs)))
    assert all(column.gaps for column in array.model_.spec.columns)
    assert array.model_.spec.columns[2].fill == np.nanmedian(inputs[:, 2])


def test_a_gap_that_training_never_had_is_the_median_with_a_warning(wine):
    estimator, gap = perceptron().fit(*wine), wine[0][:5].copy()
    filled = gap.copy()
    gap[2, 4], filled[2, 4] = np.nan, np.median(wine[0][:, 4])
    with pytest.warns(
        UserWarning, match=r"column 'x4': is missing in 1 of 5 rows, and never was in training"
    ):
        found = estimator.predict_proba(gap)
    np.testing.assert_array_equal(found, estimator.predict_proba(filled))


def test_features_that_never_change_are_left_out(wine):
    inputs, labels = wine
    with_constant = np.insert(inputs, 3, 7.0, axis=1)
    one, other = perceptron().fit(inputs, labels), perceptron().fit(with_constant, labels)
    with_constant[:, 3] = np.nan
    np.testing.assert_array_equal(one.predict_proba(inputs), other.predict_proba(with_constant))
    with pytest.warns(UserWarning, match="X has feature names, but MLPClassifier was fitted without"):
        by_place = other.predict_proba(pd.DataFrame(with_constant))
    np.testing.assert_array_equal(one.predict_proba(inputs), by_place)


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_new_frames_need_no_column_that_was_left_out(make, flowers):
    frame, kinds = flowers
    whole = frame.assign(place="garden")
    whole.insert(0, "label", [f"flower {number} of many" for number in range(len(frame))])
    with pytest.warns(UserWarning, match="column 'label': is left out: its texts are all different"):
        fitted = make(num_epochs=2).fit(whole, kinds)
    found = fitted.predict_proba(whole)
    assert fitted.feature_names_in_.tolist() == list(whole.columns)
    for new in (frame, whole.drop(columns="place"), whole[[*frame, "place", "label"]]):
        np.testing.assert_array_equal(fitted.predict_proba(new), found)
        rows = jaxmlp.predict_table(fitted.model_, new)
        np.testing.assert_allclose(rows.iloc[:, 1:], found, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="seen at fit time, yet now missing:\n- petal width"):
        fitted.predict(frame.drop(columns="petal width"))
    with pytest.raises(ValueError, match="unseen at fit time:\n- more"):
        fitted.predict(frame.assign(more=1))


def test_a_model_of_a_frame_takes_arrays_by_their_order(fitted, flowers):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found = fitted.predict_proba(flowers[0].to_numpy())
    np.testing.assert_array_equal(found, fitted.predict_proba(flowers[0]))


def test_what_a_column_is_can_be_said(flowers):
    frame, kinds = flowers
    estimator = perceptron(columns={"petal width": "drop", "sepal length": "text"}).fit(frame, kinds)
    said = {column.name: type(column).__name__ for column in estimator.model_.spec.columns}
    assert (said["petal width"], said["sepal length"]) == ("DroppedColumn", "CategoryColumn")


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_several_targets(make):
    inputs, targets = load_linnerud(return_X_y=True)
    kind = jaxmlp.EnsembleRegressor if make is ensemble else jaxmlp.MLPRegressor
    estimator = make(kind, batch_size=4).fit(inputs, targets)
    assert estimator.predict(inputs).shape == targets.shape == (20, 3)
    intervals = estimator.predict_interval(inputs)
    assert intervals.shape == (20, 3, 2) and (intervals[..., 0] < intervals[..., 1]).all()
    if make is ensemble:
        assert estimator.oof_prediction_.shape == (20, 3)
        assert r2_score(targets, estimator.oof_prediction_) == pytest.approx(estimator.oof_score_)
    frame = pd.DataFrame(inputs, columns=["x0", "x1", "x2"])
    table = jaxmlp.predict_table(estimator.model_, frame)
    named = [f"{what} of target {place}" for place in (1, 2, 3) for what in ("prediction", "5 %", "95 %")]
    assert list(table.columns) == named and estimator.model_.spec.target is None
    wanted = np.concatenate([estimator.predict(inputs)[..., None], intervals], axis=-1).reshape(20, 9)
    np.testing.assert_allclose(table, wanted, rtol=1e-4)


@pytest.mark.parametrize("kind", [jaxmlp.EnsembleRegressor, jaxmlp.MLPRegressor])
def test_a_target_that_never_changes_among_others_is_kept_with_them(kind):
    inputs, targets = load_linnerud(return_X_y=True)
    targets = np.column_stack([targets[:, :2], np.full(20, 0.1)])
    make = ensemble if kind is jaxmlp.EnsembleRegressor else perceptron
    with pytest.warns(UserWarning, match="targets: 1 of 3 values never change"):
        estimator = make(kind, batch_size=4).fit(inputs, targets)
    assert np.isfinite(estimator.validation_curve_).all()
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict(inputs), estimator.predict(inputs))
    np.testing.assert_allclose(again.predict(inputs)[:, 2], 0.1, atol=0.5)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_a_target_is_called_as_in_its_table(wine):
    X, y = wine[0][:, :2], wine[1].astype(float)
    given = {"y": y, "kind": pd.Series(y, name="kind"), "name": pd.DataFrame({"name": y})}
    for called, values in given.items():
        assert perceptron(jaxmlp.MLPRegressor, num_epochs=1).fit(X, values).model_.spec.target == called


# Weights


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_rows_of_no_weight_are_as_if_they_were_not_there(make, wine):
    inputs, labels = wine
    weights = np.random.default_rng(0).choice([0.0, 1.0, 2.0], len(labels))
    counted = weights > 0
    one = make().fit(inputs, labels, sample_weight=weights)
    other = make().fit(inputs[counted], labels[counted], sample_weight=weights[counted])
    np.testing.assert_array_equal(one.predict_proba(inputs), other.predict_proba(inputs))


@pytest.mark.parametrize("class_weight", ["balanced", {"setosa": 1.0, "versicolor": 50.0, "virginica": 2.0}])
def test_class_weights_are_sample_weights(class_weight, flowers):
    frame, kinds = flowers[0][:120], flowers[1][:120]
    own = np.linspace(0.5, 2.0, 120)
    # A third of all weight for each.
    by_class = own.sum() / 3 / pd.Series(own).groupby(kinds).sum()
    weights = kinds.map(by_class if class_weight == "balanced" else class_weight) * own
    one = perceptron(class_weight=class_weight).fit(frame, kinds, sample_weight=own)
    other = perceptron().fit(frame, kinds, sample_weight=weights)
    np.testing.assert_allclose(one.predict_proba(frame), other.predict_proba(frame), rtol=0, atol=1e-5)
    assert np.abs(one.predict_proba(frame) - perceptron().fit(frame, kinds).predict_proba(frame)).max() > 1e-3


# What they keep


def test_a_pickle_holds_the_file_of_the_model_and_no_code(fitted, flowers, tmp_path):
    content = pickle.dumps(fitted)
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict_proba(flowers[0]), fitted.predict_proba(flowers[0]))
    assert jaxmlp.save(tmp_path / "model", fitted.model_).read_bytes() in content
    texts = [text for code, text, _ in pickletools.genops(content) if code.name == "SHORT_BINUNICODE"]
    modules = {text for text in texts if re.match(r"(jaxmlp|jax|msgspec|builtins)\b", text)}
    assert modules == {"jaxmlp.estimators.ensembles", "jaxmlp"} - ({"jaxmlp"} - set(texts))


def test_a_clone_has_the_arguments_and_has_learnt_nothing(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params() and not hasattr(copy, "model_")


def test_the_score_out_of_fold_is_that_of_rows_apart():
    inputs, labels = load_breast_cancer(return_X_y=True)
    ours, theirs, own, others = train_test_split(inputs, labels, test_size=0.5, random_state=0)
    estimator = ensemble(num_epochs=20).fit(ours, own)
    low, high = estimator.oof_score_interval_
    # Of as many rows: 2.8 standard errors of a difference are two half widths.
    assert low < estimator.oof_score_ < high < low + 0.1
    assert abs(estimator.oof_score_ - accuracy_score(others, estimator.predict(theirs))) < high - low


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_what_ties_rows_is_what_ties_them_for_arrays(make):
    draws = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 8)
    # Nothing that is seen of a person tells of the level, but who it is.
    level, X = (
        draws.normal(size=30)[people],
        draws.normal(size=(30, 4))[people] + 0.01 * draws.normal(size=(240, 4)),
    )
    kind = jaxmlp.EnsembleRegressor if make is ensemble else jaxmlp.MLPRegressor
    free, tied = (make(kind, num_epochs=40).fit(X, level, **own) for own in ({}, {"groups": people}))
    found = [one.oof_score_ if make is ensemble else one.validation_curve_[-1] for one in (free, tied)]
    assert found[0] > 0.5 > 0.3 > found[1]
    again = make(kind, num_epochs=40).fit(X, level, np.r_[np.zeros(8), np.ones(232)], groups=people)
    alone = make(kind, num_epochs=40).fit(X[8:], level[8:], groups=people[8:])
    np.testing.assert_array_equal(again.predict(X), alone.predict(X))
    with pytest.raises(ValueError, match="time: must be one for each of the 240 examples"):
        make(kind).fit(X, level, time=people[:5])


def test_the_interval_holds_nine_of_ten():
    inputs, targets = load_diabetes(return_X_y=True)
    estimator = ensemble(jaxmlp.EnsembleRegressor).fit(inputs[::2], targets[::2])
    low, high = estimator.predict_interval(inputs[1::2]).T
    held = np.mean((low <= targets[1::2]) & (targets[1::2] <= high))
    # 221 rows: a standard error of 2 %.
    assert 0.82 < held < 0.98


# Out of fold


def test_predictions_out_of_fold_are_what_the_score_is_of(wine):
    X, y = wine
    weights = np.random.default_rng(0).choice([0.0, 1.0, 2.0], len(y))
    there = weights > 0
    fitted = ensemble().fit(X, y, sample_weight=weights)
    found, own = fitted.oof_predict_proba_, weights[there]
    assert found.shape == (178, 3) and np.isnan(found[~there]).all()
    right = accuracy_score(y[there], found[there].argmax(axis=1), sample_weight=own)
    assert right > 0.8 and fitted.oof_score_ == pytest.approx(right)
    loss = log_loss(y[there], found[there], sample_weight=own)
    assert fitted.model_.spec.metrics["held_out_log_loss"] == pytest.approx(loss)
    alone = ensemble().fit(X[there], y[there], own)
    np.testing.assert_array_equal(alone.oof_predict_proba_, found[there])


def test_predictions_out_of_fold_are_in_the_order_of_the_rows(wine):
    X, y = wine
    for order in (np.arange(178), np.random.default_rng(0).permutation(178)):
        regressor = ensemble(jaxmlp.EnsembleRegressor, num_epochs=20).fit(X[order], y[order])
        found = regressor.oof_prediction_
        assert r2_score(y[order], found) == pytest.approx(regressor.oof_score_)
        assert regressor.oof_score_ > 0.6


def test_rows_that_every_network_learnt_from_have_no_prediction_out_of_fold(wine):
    X, y = wine
    day = np.random.default_rng(0).permutation(178)
    found = ensemble().fit(X, y, time=day).oof_predict_proba_
    # Two folds of a third each, after the first third.
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), day < 60)
    assert accuracy_score(y[day >= 60], found[day >= 60].argmax(axis=1)) > 0.8
    rare = np.where(np.arange(178) == 100, 3, y)
    with pytest.warns(UserWarning, match="too few rows for 2 folds, so that all learn from them: class 3"):
        found = ensemble().fit(X, rare).oof_predict_proba_
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [100]


@pytest.mark.parametrize("people", [None, np.arange(178) // 2], ids=["free", "groups"])
def test_where_a_part_takes_the_folds_place_its_rows_alone_are_predicted(people, wine, monkeypatch):
    for module in (ensembles, recipes):
        monkeypatch.setattr(module, "MOST_ROWS_WITH_FOLDS", 100)
    X, y = wine
    found = ensemble(num_folds=None).fit(X, y, groups=people).oof_predict_proba_
    held = ~np.isnan(found).any(axis=1)
    assert 16 <= held.sum() <= 20 and accuracy_score(y[held], found[held].argmax(axis=1)) > 0.7
    if people is None:
        np.testing.assert_array_equal(np.flatnonzero(held), hold_out(y, 0.1, 3, (0, 1, 2)))


# What they say


@pytest.mark.parametrize("make", [ensemble, perceptron])
def test_they_are_quiet(make, flowers, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(*flowers).predict(flowers[0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_column_that_gives_the_target_away_is_said_where_asked(verbose, capfd):
    X = np.random.default_rng(0).normal(size=(600, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        perceptron(jaxmlp.MLPRegressor, verbose=verbose, num_epochs=1).fit(X, X[:, 1])
    told = "warning: column 'x1': alone gives the target away" in capfd.readouterr().err
    assert told is bool(verbose)


def test_balanced_classes_do_not_count_rows_without_weight(wine):
    X, y = wine
    weights = np.where((y == 0) & (np.arange(len(y)) % 2 == 0), 0.0, 1.0)
    there, own = weights > 0, {"class_weight": "balanced", "num_epochs": 2}
    whole = perceptron(**own).fit(X, y, sample_weight=weights)
    cut = perceptron(**own).fit(X[there], y[there], sample_weight=weights[there])
    np.testing.assert_array_equal(whole.predict_proba(X), cut.predict_proba(X))


def test_verbose_shows_what_is_done(flowers, capfd):
    perceptron(verbose=1).fit(flowers[0].assign(place="garden"), flowers[1])
    out, err = capfd.readouterr()
    assert "warning: column 'place': is left out: it never changes in the training rows" in err
    assert out.startswith("compiled in") and "6 of 6 epochs" in err


def test_what_could_surprise_is_a_warning(flowers, capfd):
    frame, kinds = flowers
    named = frame.assign(label=[f"flower {number} of many" for number in range(len(frame))], place="garden")
    with pytest.warns(UserWarning) as told:
        estimator = perceptron().fit(named, kinds)
    assert [str(each.message) for each in told] == [
        "column 'label': is left out: its texts are all different"
    ]
    new = named.assign(**{"sepal width": np.where(np.arange(len(named)) < 3, "medium", named["sepal width"])})
    with pytest.warns(UserWarning, match=r"column 'sepal width': 3 of 150 cells were not learnt: 'medium'"):
        estimator.predict(new)
    assert capfd.readouterr() == ("", "")


def test_too_few_rows_to_hold_any_out_are_all_learnt_from(wine):
    inputs, labels = wine[0][::25], wine[1][::25]
    with pytest.warns(UserWarning, match=r"validation_fraction: 8 rows are too few to hold any out"):
        few = perceptron(batch_size=4).fit(inputs, labels)
    none = perceptron(batch_size=4, validation_fraction=0.0).fit(inputs, labels)
    np.testing.assert_array_equal(few.predict_proba(inputs), none.predict_proba(inputs))
    assert few.validation_curve_ is None and few.model_.spec.temperature == 1
    values = perceptron(jaxmlp.MLPRegressor, validation_fraction=0.0, batch_size=4).fit(inputs, labels)
    with pytest.raises(InputError, match=r"validation_fraction: no row was held out"):
        values.predict_interval(inputs)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.75, 0.95])
def test_about_as_many_are_held_out_as_was_asked_for(share):
    labels, targets = np.arange(600) % 3, np.random.default_rng(0).normal(size=600)
    for given, names in ((labels, (0, 1, 2)), (targets, ())):
        rows = hold_out(given, share, 0, names)
        assert len(rows) == pytest.approx(600 * share, rel=0.05, abs=3) and len({*rows.tolist()}) == len(rows)
    counts = np.bincount(labels[hold_out(labels, share, 0, (0, 1, 2))])
    assert np.ptp(counts) <= 1


# What they refuse

_GIVEN = ("X", "y", "sample_weight", "groups", "time")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(178)}, "y: must hold two classes at least, got one class"),
        ({"sample_weight": -np.ones(178)}, "sample_weight: must be at least 0"),
        ({"sample_weight": np.zeros(178)}, "sample_weight: at least one must be above 0"),
        ({"X": np.ones((178, 2))}, "X: no feature changes from row to row"),
        ({"columns": {"x0": "drop"}}, "columns: are those of a frame, and X is an array"),
        ({"random_state": -1}, "random_state: must be a whole number of at least 0"),
        ({"validation_fraction": 1.0}, "validation_fraction: must be at least 0 and below 1"),
        ({"hidden_sizes": (0,)}, "hidden_sizes: "),
        ({"class_weight": {9: 1.0}}, "class_weight: must weigh classes, 0, 1, 2, got 9"),
        (
            {"class_weight": {0: -1.0, 1: 1.0, 2: 1.0}},
            r"class_weight\[0\]: must be a finite number of at least 0",
        ),
        ({"X": np.ma.masked_array(np.eye(178), np.eye(178))}, "X: must have no masked values"),
        ({"X": np.full((178, 2), np.datetime64(0, "D"))}, "X: holds dates or times"),
        ({"X": pd.DataFrame(index=range(178))}, "table: must hold at least one column"),
        ({"X": pd.DataFrame(np.eye(178)[:, :2], columns=["a", "a"])}, "table: has two columns called 'a'"),
        ({"y": ["a", np.nan] * 89}, "y: is missing in 89 of 178 rows, the first is row 1"),
        ({"y": ["a", None] * 89}, "y: is missing in 89 of 178 rows, the first is row 1"),
        ({"y": pd.Series(["a", pd.NA] * 89, dtype="string")}, "y: is missing in 89 of 178 rows"),
        ({"y": ["1", 1] * 89}, "y: classes must be of one kind, got int and str"),
        ({"y": [2**64, 1] * 89}, "y: whole numbers must fit into 64 bits, got 18446744073709551616; "),
        ({"y": np.ma.masked_array([0, 1] * 89, [0, 1] * 89)}, "y: must have no masked values"),
        ({"groups": "person"}, "groups: must be one for each of the 178 examples"),
        ({"groups": ["a", np.nan] * 89}, "groups: is missing in 89 of 178 rows, the first is row 1"),
        ({"time": np.ma.masked_array(range(178), [0, 1] * 89)}, "time: is missing in 89 of 178 rows"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(change, message, wine):
    arguments = {"X": wine[0], "y": wine[1]}
    arguments |= {name: value for name, value in change.items() if name in _GIVEN}
    settings = {name: value for name, value in change.items() if name not in arguments}
    with pytest.raises(ValueError, match=message):
        perceptron(**settings).fit(**arguments)


def test_a_fit_that_fails_leaves_all_as_it_was(wine):
    X, y = wine
    new = perceptron(num_epochs=1)
    with pytest.raises(ValueError, match="learning_rate: must be"):
        new.set_params(learning_rate=-1.0).fit(X, y)
    with pytest.raises(NotFittedError):
        new.predict(X)
    fitted = perceptron(num_epochs=1).fit(X, y)
    before = fitted.predict(X)
    with pytest.raises(ValueError, match="sample_weight: must be at least 0"):
        fitted.fit(X[:, :3], np.where(y > 0, "yes", "no"), sample_weight=-np.ones(178))
    np.testing.assert_array_equal(fitted.predict(X), before)
    assert fitted.classes_.tolist() == [0, 1, 2] and fitted.n_features_in_ == 13


def test_a_time_is_no_target():
    with pytest.raises(InputError, match="y: holds dates or times"):
        perceptron(jaxmlp.MLPRegressor).fit(np.eye(3), pd.date_range("2020-01-01", periods=3))


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([2**53, 2**53 + 1, 7] * 20, dtype="Int64"),
        pd.Series([True, False] * 30, dtype="boolean"),
        np.array([True, False] * 30, object),
        ["ו", 'a"\n'] * 30,
    ],
)
def test_classes_are_what_they_were(y):
    fitted = perceptron(num_epochs=1).fit(np.random.default_rng(0).normal(size=(60, 2)), y)
    different = [*dict.fromkeys(pd.Series(y).tolist())]
    assert fitted.classes_.tolist() == sorted(different)
    assert {type(one) for one in fitted.classes_.tolist()} == {type(one) for one in different}


def test_columns_that_are_named_by_numbers_or_pairs_are_refused_in_another_order(wine):
    for names in ([0, 1, "0x"], pd.MultiIndex.from_product([["a"], [0, 1, 2]])):
        frame = pd.DataFrame(wine[0][:, :3]).set_axis(names, axis=1)
        fitted = perceptron(num_epochs=1).fit(frame, wine[1])
        assert fitted.predict(frame).shape == (178,)
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            fitted.predict(frame.iloc[:, ::-1])


def test_columns_in_another_order_are_refused(fitted, flowers):
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.predict(flowers[0].iloc[:, ::-1])
