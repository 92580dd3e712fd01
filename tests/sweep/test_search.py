"""From data and ranges to models that predict from raw values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.metrics import log_loss, mean_squared_error, r2_score

import jaxmlp
from jaxmlp.data import sources
from jaxmlp.data.splits import join_parts, scale_part
from jaxmlp.models import evaluation, training
from jaxmlp.models.model import load, save
from jaxmlp.models.prediction import network_outputs, predict, predict_proba
from jaxmlp.runtime import compilation, devices
from jaxmlp.sweep import cost as sweep_cost
from jaxmlp.sweep import loop, search, selection
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.cost import estimate_cost, measure_peak
from jaxmlp.sweep.halving import members_per_epoch
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range
from jaxmlp.train import batching
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.train.optimizers import RECIPES
from jaxmlp.types import InputError

SPACE = {"hidden_sizes": Choice((8,)), "depth": Choice((1,)), "optimizer": Choice(("adam",))}
SPACE |= {"activation": Choice(("relu",))}


def splits_of(name, **options):
    return sources.load_dataset(name, validation_fraction=0.25, **options)


def searched(splits, **options):
    options = {"num_members": 4, "num_epochs": 4, "halving": None, "progress": False} | options
    return search.fit_ensemble(splits, SPACE, **options)


@pytest.fixture(scope="module")
def wine():
    splits = splits_of("wine")
    return splits, searched(splits)


@pytest.fixture(scope="module")
def diabetes():
    splits = splits_of("diabetes")
    return splits, searched(splits, batch_size=32)


def held_out_rows_of(splits, num_folds=4):
    """The rows that each fold leaves out, in the order in which they are judged."""
    plan = search.plan_search(splits, SPACE, num_members=1, num_folds=num_folds)
    return search.make_folds(plan.splits, num_folds, 0).held_out


def test_the_models_predict_from_raw_values_what_the_sweep_judged(wine):
    splits, found = wine
    inputs, targets, weights = held_out_rows_of(splits)
    own = np.repeat(np.arange(4), inputs.shape[1])
    outputs = network_outputs(found.best, inputs.reshape(-1, inputs.shape[-1]))[own, np.arange(len(own))]
    probabilities = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    loss = log_loss(targets.ravel(), probabilities.astype(float), sample_weight=weights.ravel())
    np.testing.assert_allclose(loss, found.sweep.losses.min(), rtol=1e-4)


def test_the_score_is_of_all_rows_that_are_not_for_the_test(wine, diabetes):
    for splits, found in (wine, diabetes):
        num_rows = len(splits.train.inputs) + len(splits.validation.inputs)
        assert (found.sweep.held_out.weights > 0).sum() == num_rows
        measures = ("accuracy", "log_loss") if splits.class_names else ("r2", "rmse")
        assert tuple(found.score) == tuple(found.intervals) == measures
        for name, (low, high) in found.intervals.items():
            assert low <= found.score[name] <= high
            assert found.ensemble.spec.metrics[f"held_out_{name}"] == found.score[name]
        # New examples of the same kind: 36 and 89 of them, with a spread that is as large as this.
        reached = evaluation.evaluate(found.ensemble, splits.test)[measures[0]]
        low, high = found.intervals[measures[0]]
        assert low - 0.1 < reached < high + 0.1


def test_the_ensembles_file_holds_all_it_takes(wine, tmp_path):
    splits, found = wine
    loaded = load(save(tmp_path / "model.safetensors", found.ensemble))
    assert loaded.spec == found.ensemble.spec
    counts = [int(c.counts[0]) for c in found.sweep.ensemble]
    assert [one.count for one in loaded.spec.networks] == np.repeat(counts, 4).tolist()
    first, second = (predict_proba(model, splits.test.inputs) for model in (found.ensemble, loaded))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)


def test_an_ensembles_probabilities_are_the_tempered_average(wine):
    splits, found = wine
    description = found.ensemble.spec
    logits = network_outputs(found.ensemble, splits.test.inputs)
    each = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    average = np.average(each, axis=0, weights=[network.count for network in description.networks])
    expected = average ** (1 / description.temperature)
    np.testing.assert_allclose(
        predict_proba(found.ensemble, splits.test.inputs),
        expected / expected.sum(axis=1, keepdims=True),
        rtol=1e-4,
    )


def test_the_temperature_costs_least_on_held_out_rows_or_does_not_help_there(wine):
    _, found = wine
    swept, temperature = found.sweep, found.ensemble.spec.temperature
    average = selection.ensemble_predictions(swept.candidates)

    def cost(temperature):
        powers = average ** (1 / temperature)
        tempered = powers / powers.sum(axis=1, keepdims=True)
        own = swept.held_out.losses([tempered])[0] @ swept.held_out.weights
        # Platt's share of each class, beside the true one.
        share, weights = 1 / (len(average) + 3), swept.held_out.weights
        return (1 - 3 * share) * own - share * weights @ np.log(tempered).sum(axis=1)

    assert temperature != 1 and cost(temperature) < min(cost(0.9 * temperature), cost(1.1 * temperature))
    # Four epochs leave them in doubt.
    assert temperature < 1 and found.score["log_loss"] < swept.ensemble_history["loss"][-1]


def test_measures_against_scikit_learn(wine, diabetes):
    splits, found = wine
    measured = evaluation.evaluate(found.ensemble, splits.test)
    probabilities = predict_proba(found.ensemble, splits.test.inputs)
    np.testing.assert_allclose(
        measured["log_loss"], log_loss(splits.test.targets, probabilities.astype(float)), rtol=1e-4
    )
    splits, found = diabetes
    measured = evaluation.evaluate(found.ensemble, splits.test)
    values = predict(found.ensemble, splits.test.inputs)
    np.testing.assert_allclose(measured["r2"], r2_score(splits.test.targets, values), rtol=1e-4)
    np.testing.assert_allclose(
        measured["rmse"], np.sqrt(mean_squared_error(splits.test.targets, values)), rtol=1e-4
    )


def test_a_regression_knows_its_noise_in_the_targets_unit(diabetes, tmp_path):
    splits, found = diabetes
    loaded = load(save(tmp_path / "model.safetensors", found.ensemble))
    swept, (scale,) = found.sweep, np.ravel(loaded.targets.scale)
    honest = selection.cross_fitted_predictions(swept.candidates, swept.held_out)[:, 0]
    errors = np.sort(np.abs(honest - swept.held_out.targets)[swept.held_out.weights > 0]) * scale
    (noise,) = loaded.spec.noise_scale
    # Of 354 with a new one, 318.6 are to be inside.
    assert len(errors) == 353
    np.testing.assert_allclose(noise, errors[318] / 1.6448536, rtol=1e-4)
    inside = np.abs(predict(loaded, splits.test.inputs) - splits.test.targets) <= 1.6448536 * noise
    np.testing.assert_allclose(evaluation.evaluate(loaded, splits.test)["coverage_90"], inside.mean())


def test_several_targets_are_scaled_each_by_its_own(tmp_path):
    splits = splits_of("linnerud")
    found = searched(splits, batch_size=8)
    loaded = load(save(tmp_path / "model.safetensors", found.ensemble))
    assert predict(loaded, splits.test.inputs).shape == splits.test.targets.shape
    assert len(loaded.spec.noise_scale) == 3
    spread = np.concatenate([splits.train.targets, splits.validation.targets]).std(axis=0)
    np.testing.assert_allclose(np.asarray(loaded.targets.scale), spread, rtol=1e-5)


def test_two_classes_have_two_columns():
    splits = splits_of("breast_cancer")
    found = searched(splits, max_ensemble=4)
    probabilities = predict_proba(found.ensemble, splits.test.inputs)
    assert probabilities.shape == (len(splits.test.inputs), 2)
    measured = evaluation.evaluate(found.ensemble, splits.test)
    np.testing.assert_allclose(measured["accuracy"], np.mean(probabilities.argmax(1) == splits.test.targets))
    np.testing.assert_allclose(
        measured["log_loss"], log_loss(splits.test.targets, probabilities.astype(float)), rtol=1e-4
    )


def test_another_split_of_a_table_needs_no_new_program(wine):
    misses = compilation._lower.cache_info().misses
    searched(splits_of("wine", split_seed=1))
    assert compilation._lower.cache_info().misses == misses


def test_pixels_rest_as_bytes_and_tables_are_scaled_before(wine):
    images = splits_of("digits")
    assert scale_part(images.train, None, None).inputs.dtype == np.uint8
    splits, _ = wine
    affine = jaxmlp.fit_affine(splits.train.inputs)
    scaled = scale_part(splits.train, affine, None).inputs
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert scaled.dtype == jnp.zeros(()).dtype


def test_rounded_products_train_every_member_almost_alike(wine):
    splits, exact = wine
    coarse = searched(splits, precision="bfloat16")
    losses = [found.sweep.history["train_loss"] for found in (exact, coarse)]
    np.testing.assert_allclose(*losses, rtol=0.03)
    # In single precision, an average over folds may come out the same.
    assert (losses[0] != losses[1]).mean() > 0.5


@pytest.mark.parametrize(
    ("num_examples", "size"), [(54_000, 128), (1200, 128), (100, 8), (300, 32), (16, 8), (4, 4)]
)
def test_a_small_data_set_has_small_batches(num_examples, size):
    assert batching.default_batch_size(num_examples) == size


@pytest.mark.parametrize("num_folds", [1, 4])
def test_the_plan_knows_the_memory_of_a_member_and_counts_who_trains(num_folds, monkeypatch):
    splits = splits_of("digits") if num_folds == 1 else join_parts(splits_of("digits"))
    members = draw_members(SPACE, 9, max_programs=1)
    settings = SweepConfig("multiclass", num_epochs=9, batch_size=128, halving=3)
    monkeypatch.setattr(sweep_cost, "measure_peak", lambda: 1e11)
    expected = estimate_cost(splits, members, settings, 4)
    size = 65 * 8 + 9 * 10
    assert (expected.num_programs, expected.num_parameters) == (1, 9 * num_folds * size)
    network_of, data = training.prepare_training(splits)
    folds = search.make_folds(data, 4, 0)
    held = loop.init_sweep(members, network_of, settings._replace(chunk_size=9), folds).chunks[0].state
    on_device = sum(leaf.nbytes for leaf in jax.tree.leaves(held))
    # Which rows they are stays on the host.
    on_each = sum(leaf.nbytes for leaf in jax.tree.leaves(folds[:2]))
    assert expected.memory_bytes == on_device + on_each
    # Parameters and Adam's two moments.
    assert 0 < on_device - 9 * num_folds * 12 * size < 10_000
    at_once = 2 if num_folds == 1 else 1
    assert (expected.num_devices, expected.num_at_once, expected.wait) == (1, at_once, False)
    two = settings._replace(mesh=jax.sharding.Mesh(np.array(2 * jax.devices())[:, None], devices.AXES))
    spread = estimate_cost(splits, members, two, 4)
    assert (spread.num_devices, spread.num_at_once) == (2, 2 * at_once)
    np.testing.assert_allclose(spread.train_seconds, expected.train_seconds / 2)
    assert spread.memory_bytes - on_each == -(-(expected.memory_bytes - on_each) // 2)
    twice = estimate_cost(splits, members, settings._replace(halving=None), 4)
    np.testing.assert_allclose(
        twice.train_seconds / expected.train_seconds, 81 / sum(members_per_epoch(9, 9, 3))
    )


def test_the_measured_peak_is_that_of_a_machine():
    assert 1e8 < measure_peak(256) < 1e17


def test_what_the_space_and_the_settings_refuse_is_refused():
    splits = splits_of("wine")
    with pytest.raises(InputError, match="space: unknown name 'droput'; did you mean 'dropout'"):
        search.fit_ensemble(splits, {"droput": Choice((0.1,))})
    with pytest.raises(InputError, match="schedule: unknown name"):
        searched(splits, schedule="cosin")
    with pytest.raises(InputError, match="precision: unknown name 'float16'; did you mean 'bfloat16'"):
        searched(splits, precision="float16")


@pytest.mark.usefixtures("no_runtime_types")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: must be a whole number of at least 1, got 0"),
        ({"num_epochs": 0}, "num_epochs: must be a whole number of at least 1, got 0"),
        ({"num_epoch": 3}, "settings: unknown name 'num_epoch'; did you mean 'num_epochs'"),
        ({"task": "binary"}, "settings: unknown name 'task'"),
        ({"space": 3}, "space: must be of the type Mapping or None, got 3"),
        ({"mesh": "x"}, "mesh: must be of the type Mesh or None, got 'x'"),
        ({"checkpoints": "runs"}, "checkpoints: must be of the type Checkpoints or None, got 'runs'"),
        ({"checkpoints": Checkpoints("runs", every=0)}, "every: must be a whole number of at least 1, got 0"),
        ({"splits": None}, "splits: must be of the type Splits, got None"),
    ],
)
def test_arguments_of_another_kind_are_refused(wine, options, message):
    arguments = {"splits": wine[0], "progress": False, **options}
    with pytest.raises(InputError, match=message):
        search.fit_ensemble(**arguments)


# Plans


def test_what_nobody_says_is_a_recipe_of_few_settings_each_for_each_fold(wine):
    plan = search.plan_search(wine[0])
    assert (len(plan.members), plan.num_folds) == (4, 4)
    assert (plan.config.schedule, plan.config.halving) == ("cycles", None)
    assert len({m.structure for m in plan.members}) == 1 and len({m.seed for m in plan.members}) == 4
    settings = {(m.hyperparams.learning_rate, m.hyperparams.frequency_scale) for m in plan.members}
    assert settings == {(rate, scale) for rate in (0.02, 0.06) for scale in (0.25, 1.0)}


def test_ranges_of_ones_own_are_drawn_and_the_rest_of_the_recipe_stays(wine):
    plan = search.plan_search(wine[0], {"dropout": Range(0.2, 0.4)})
    recipe = search.plan_search(wine[0])
    assert (len(plan.members), plan.config.halving) == (16, 3)
    assert plan.config._replace(halving=None) == recipe.config
    assert len({m.hyperparams.dropout for m in plan.members}) == 16
    assert all(0.2 <= m.hyperparams.dropout <= 0.4 for m in plan.members)
    assert {m.structure for m in plan.members} == {m.structure for m in recipe.members}
    for name in ("learning_rate", "frequency_scale", "weight_decay", "momentum", "b2"):
        drawn, known = ({getattr(m.hyperparams, name) for m in one.members} for one in (plan, recipe))
        assert drawn == known


def test_a_constant_of_ones_own_changes_the_recipe_and_nothing_else(wine):
    plan, changed = search.plan_search(wine[0]), search.plan_search(wine[0], {"dropout": 0.3})
    assert changed.config == plan.config
    expected = [m._replace(hyperparams=m.hyperparams._replace(dropout=0.3)) for m in plan.members]
    assert changed.members == expected


@pytest.mark.parametrize("space", [{"optimizer": "adamw"}, {"parametrization": "standard"}])
def test_another_optimizer_has_the_learning_rates_of_its_own(wine, space):
    members = search.plan_search(wine[0], space).members
    low, high = (getattr(RECIPES[members[0].structure.optimizer], end) for end in ("low", "high"))
    rates = [m.hyperparams.learning_rate for m in members]
    assert len(set(rates)) == 16 and low <= min(rates) < max(rates) <= high
    assert {m.hyperparams.b2 for m in members} == {None}
    assert {m.hyperparams.dropout for m in members} == {0.1}
    own = search.plan_search(wine[0], space | {"learning_rate": 0.5}).members
    assert {m.hyperparams.learning_rate for m in own} == {0.5}


def test_images_have_a_recipe_of_their_own():
    plan = search.plan_search(splits_of("digits"))
    assert (plan.config.schedule, plan.config.max_candidates) == ("warmup_cosine", 4)
    assert {m.structure.network.hidden_sizes for m in plan.members} == {(256,)}
    assert {m.hyperparams.label_smoothing for m in plan.members} == {0.1}


# Whose rows are learnt from


def learnt_from(inputs, targets):
    """Splits all of whose rows are for the folds."""
    parts = {"validation": (inputs, targets), "test": (inputs, targets)}
    splits = jaxmlp.from_arrays(inputs, targets, **parts)
    return splits._replace(validation=jax.tree.map(lambda values: values[:0], splits.validation))


def noise(task, num_rows, **options):
    """Inputs that say nothing of their targets."""
    random = np.random.default_rng(num_rows)
    targets = random.integers(0, 2, num_rows) if task == "binary" else random.normal(size=num_rows)
    inputs = random.normal(size=(num_rows, 5))
    return jaxmlp.from_arrays(inputs, targets, test=(inputs, targets), **options)


def test_a_part_that_was_cut_is_learnt_from_and_one_that_was_brought_is_not():
    cut = noise("binary", 60)
    plan = search.plan_search(cut)
    assert len(plan.splits.train.inputs) == 60 and not len(plan.splits.validation.inputs)
    inputs, targets = np.zeros((6, 5)), np.arange(6) % 2
    brought = noise("binary", 60, validation=(inputs, targets))
    plan = search.plan_search(brought)
    np.testing.assert_array_equal(plan.splits.train.inputs, brought.train.inputs)
    folds = search.make_folds(plan.splits, plan.num_folds, 0)
    np.testing.assert_array_equal(folds.held_out.targets, targets[None])
    assert len(folds.train.inputs) == 60 and (folds.train.weights == 1).all()
    one = search.plan_search(cut, num_folds=1)
    assert len(one.splits.validation.inputs) == len(cut.validation.inputs)


def test_a_part_that_was_brought_is_what_the_score_is_of():
    brought = noise("binary", 60, validation=(np.zeros((6, 5)), np.arange(6) % 2))
    found = searched(brought, num_epochs=2, num_members=2)
    assert len(found.ensemble.networks) == len(found.sweep.ensemble)
    # All six are the same input, so that three are right.
    np.testing.assert_allclose(found.score["accuracy"], 0.5)
    assert len(found.sweep.held_out.targets) == 6


def chance_bound(task, splits):
    """What no honest prediction of noise comes below, but in one of a hundred draws: of log-loss, and of
    1 - R².

    Over all sequences of labels, the probabilities that independent predictions give them sum to 1, so that
    over the n! / (k! (n - k)!) orders of a part's own labels their mean is at most one part of so many: by
    Markov, four parts gain less than 4 log 400 on these in 99 of 100 draws. Of real targets, the sum of
    squared errors is least by chi-squared of a degree for each part: 13.3 in one of a hundred.
    """
    targets = splits.train.targets
    num_rows = len(targets)
    if task == "regression":
        return 1 - 13.3 / num_rows / np.var(targets)
    size, ones = num_rows // 4, targets.sum() // 4
    orders = 4 * (gammaln(size + 1) - gammaln(ones + 1) - gammaln(size - ones + 1))
    return (orders - 4 * np.log(400)) / num_rows


@pytest.mark.parametrize("num_rows", [200, 2000])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_of_noise_the_score_is_not_better_than_chance_and_of_a_leak_it_is_perfect(task, num_rows):
    splits = join_parts(noise(task, num_rows))
    train, wide = splits.train, {"hidden_sizes": 32, "learning_rate": (0.01, 0.03)}
    options = {"num_members": 2, "num_epochs": 6000 // num_rows, "halving": None, "progress": False}
    options |= {"batch_size": num_rows // 10, "schedule": "constant"}
    found = search.fit_ensemble(splits, SPACE | wide, **options)
    cost = found.score["log_loss"] if task == "binary" else 1 - found.score["r2"]
    assert cost > chance_bound(task, splits)
    told = train.inputs.copy()
    told[:, 0] = train.targets
    leaking = splits._replace(train=train._replace(inputs=told))
    found = search.fit_ensemble(leaking, SPACE | wide, **options)
    if task == "binary":
        assert found.score["accuracy"] == 1 and found.score["log_loss"] < 0.02
    else:
        assert found.score["r2"] > 0.95


# Data that are odd


def test_a_class_of_fewer_rows_than_folds_is_learnt_by_all_and_never_held_out(capfd):
    random = np.random.default_rng(0)
    labels = np.array([0] * 40 + [1] * 40 + [2] * 3)
    inputs = random.normal(size=(83, 2)) + 4 * np.eye(3)[labels][:, :2] - 9 * (labels == 2)[:, None]
    splits = learnt_from(inputs, labels)
    found = searched(splits, num_epochs=40, batch_size=16, num_members=2)
    assert "too few rows for 4 folds, so that all learn from them: class '2'\n" in capfd.readouterr().err
    counted = found.sweep.held_out.weights > 0
    assert counted.sum() == 80 and set(found.sweep.held_out.targets[counted]) == {0, 1}
    # Who is chosen is not asked about them, but every network has learnt from them.
    folds = search.make_folds(join_parts(splits), 4, 0)
    rare = folds.train.targets == 2
    assert rare.sum() == 3 and (folds.train.weights[:, rare] > 0).all()


EIGHT = np.arange(8.0)


@pytest.mark.parametrize("targets", [EIGHT.astype(int) % 2, EIGHT, np.stack([EIGHT, -EIGHT], axis=1)])
def test_eight_rows_are_enough(targets):
    splits = learnt_from(np.arange(16.0).reshape(8, 2), targets)
    found = searched(splits, num_epochs=2)
    assert all(np.isfinite(value) for value in found.score.values())
    assert np.isfinite(predict(found.ensemble, splits.train.inputs)).all()


def test_rows_count_by_their_weights():
    # Nine tenths of the weight are on rows whose label follows the first column; others say otherwise.
    random = np.random.default_rng(0)
    inputs, contrary = random.normal(size=(300, 2)), np.arange(300) % 2 == 1
    labels = ((inputs[:, 0] > 0) ^ contrary).astype(int)
    weights = np.where(contrary, 1.0, 9.0)
    splits = jaxmlp.from_arrays(inputs, labels, sample_weight=weights, test=(inputs, labels))
    found = searched(splits, num_epochs=30, num_members=2)
    assert 0.85 < found.score["accuracy"] < 0.95
    assert np.mean(predict(found.ensemble, inputs) == (inputs[:, 0] > 0)) > 0.9


def test_a_category_that_a_fold_never_saw_has_no_weight_there():
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(80, 3))
    inputs[:, 2] = np.arange(80) == 7
    splits = jaxmlp.from_arrays(inputs, np.arange(80) % 2, test_fraction=0.0)
    found = jaxmlp.fit_ensemble(splits, num_epochs=2, progress=False)
    # One of the four networks of each candidate.
    unseen = np.reshape([not np.any(layers[1].weight[2]) for layers in found.ensemble.networks], (-1, 4))
    np.testing.assert_array_equal(unseen.sum(axis=1), 1)
    other = inputs.copy()
    other[:, 2] = 1 - other[:, 2]
    answers = [network_outputs(found.ensemble, each) for each in (inputs, other)]
    same = [np.array_equal(one, two) for one, two in zip(*answers, strict=True)]
    np.testing.assert_array_equal(np.reshape(same, (-1, 4)), unseen)


def test_what_was_held_out_is_handed_out_row_by_row(wine, diabetes):
    for splits, found in (wine, diabetes):
        own, joined = found.out_of_fold, join_parts(splits).train
        np.testing.assert_array_equal(own.rows, np.arange(len(joined.inputs)))
        np.testing.assert_array_equal(own.targets, joined.targets)
        left_out = own.learnt[own.folds, own.rows]
        assert (left_out == 0).all() and ((own.learnt > 0).sum(axis=0) == 3).all()
    classes, values = wine[1].out_of_fold, diabetes[1].out_of_fold
    right = np.mean(classes.predictions.argmax(axis=1) == classes.targets)
    np.testing.assert_allclose(right, wine[1].score["accuracy"], rtol=1e-6)
    loss = log_loss(classes.targets, classes.predictions)
    np.testing.assert_allclose(loss, wine[1].score["log_loss"], rtol=1e-6)
    np.testing.assert_allclose(
        r2_score(values.targets, values.predictions), diabetes[1].score["r2"], rtol=1e-6
    )


def test_rows_of_a_validation_part_stand_behind_those_of_training():
    splits = splits_of("wine")
    inputs, targets, _ = splits.validation
    own = splits._replace(validation_is_cut=False)
    found = searched(own, num_members=1).out_of_fold
    np.testing.assert_array_equal(found.rows, len(splits.train.inputs) + np.arange(len(inputs)))
    np.testing.assert_array_equal(found.targets, targets)
    assert found.learnt.shape == (1, len(splits.train.inputs)) and set(found.folds) == {0}
    assert set(found.parts) == {0, 1, 2, 3}
