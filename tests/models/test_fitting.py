"""From arrays to a model that is saved: what fit_mlp wires together, and what it refuses."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxmlp
from jaxmlp.models import numpy_predictor
from jaxmlp.models.model import with_spec
from jaxmlp.models.training import TrainedNetwork, build_model, fit_scaling, prepare_training
from jaxmlp.nn.augment import random_deformation
from jaxmlp.nn.metrics import CLASSIFICATION, Metric
from jaxmlp.nn.mlp import ACTIVATIONS
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.runtime import compilation
from jaxmlp.types import Hyperparams, InputError, Layer

QUICK = {"num_epochs": 5, "batch_size": 32, "progress": False}


@pytest.fixture(scope="module")
def digits():
    return jaxmlp.load_dataset("digits")


@pytest.fixture(scope="module")
def wine():
    return jaxmlp.load_dataset("wine")


@pytest.fixture(scope="module")
def far():
    """Targets far from 0, in a unit of thousands, of which three inputs tell all but some noise."""
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(600, 3))
    return jaxmlp.from_arrays(inputs, 50_000 + 1000 * (inputs.sum(axis=1) + 0.3 * draws.normal(size=600)))


@pytest.mark.parametrize(("label_smoothing", "at_most"), [(None, 1.1), (0.1, 0.7)])
def test_a_temperature_serves_what_was_never_seen(digits, label_smoothing, at_most):
    """Ten classes without many mistakes once came to cost 1.8 times as much by it."""
    model = jaxmlp.fit_mlp(digits, label_smoothing=label_smoothing, num_epochs=80, progress=False).model
    tempered, raw = (jaxmlp.evaluate(one, digits.test) for one in (model, with_spec(model, temperature=1.0)))
    assert tempered["log_loss"] < at_most * raw["log_loss"]
    assert tempered["calibration_error"] < 0.05


@pytest.fixture(scope="module")
def read(digits):
    """Three seeds on digits."""
    return jaxmlp.fit_mlp(digits, learning_rate=1e-2, num_seeds=3, seed=4, **QUICK)


def test_arrays_train_evaluate_save(tmp_path, digits, read):
    path = jaxmlp.save(tmp_path / "digits.safetensors", read.model)
    again = jaxmlp.load(path)
    assert jaxmlp.evaluate(again, digits.test)["accuracy"] > 0.9
    probabilities = jaxmlp.predict_proba(read.model, digits.test.inputs)
    np.testing.assert_array_equal(jaxmlp.predict_proba(again, digits.test.inputs), probabilities)
    assert (again.spec.dataset, again.spec.class_names) == ("digits", tuple("0123456789"))
    assert 0.5 < again.spec.drawing_extent <= 1


def test_the_model_is_the_seed_that_validates_best(digits, read):
    accuracies = [jaxmlp.evaluate(model, digits.validation)["accuracy"] for model in read.models]
    np.testing.assert_allclose(accuracies, read.run.best_score, rtol=1e-6)
    assert read.best == np.argmax(accuracies) and read.model is read.models[read.best]
    assert read.history["validation_accuracy"].shape == (5,)
    assert read.history["validation_accuracy"][read.best_epoch - 1] == np.float32(max(accuracies))
    reached = read.model.spec.metrics["validation_accuracy"]
    np.testing.assert_allclose(reached, max(accuracies), rtol=1e-6)
    assert read.interrupted == 0


def test_each_seed_is_that_of_the_functions_beneath(digits, read):
    affine = jaxmlp.fit_affine(digits.train.inputs)
    network = jaxmlp.make_network((64, 64, 10), "multiclass", affine)
    train = jaxmlp.make_train(network.init_fn, network.loss_fn, "adam", 32)
    evaluate = jaxmlp.make_evaluate(network.predict_fn, CLASSIFICATION)
    key, data_key = jaxmlp.seed_keys([5])
    options = {"hyperparams": {"learning_rate": 1e-2}, "num_epochs": 5, "progress": False}
    by_hand = jaxmlp.fit(
        train, evaluate, digits.train, digits.validation, key=key[0], data_key=data_key[0], **options
    )
    for ours, theirs in zip(read.models[1].networks[0], by_hand.params, strict=True):
        np.testing.assert_allclose(ours.weight, theirs.weight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_sizes": (8, 4)},
        {"activation": "tanh"},
        {"embedding": "periodic"},
        {"parametrization": "ntk"},
        {"optimizer": "sgd"},
        {"optimizer": "adamw"},
        {"optimizer": optax.sgd(0.01)},
        {"schedule": "cosine"},
        {"rate_multipliers": {"bias": 0.1}},
        {"learning_rate": 0.02},
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"momentum": 0.5},
        {"clip_norm": 1e-3},
        {"max_norm": 0.1},
        {"dropout": 0.5},
        {"input_dropout": 0.5},
        {"label_smoothing": 0.3},
        {"initial_scale": 0.1},
        {"loss": lambda logits, label: optax.sigmoid_focal_loss(logits, jax.nn.one_hot(label, 3)).sum()},
        {"class_weight": {0: 5.0, 1: 1.0, 2: 1.0}},
        {"precision": "bfloat16"},
        {"numeric_scaling": "quantile"},
        {"batch_size": 16},
        {"seed": 1},
    ],
    ids=lambda changed: " ".join(changed),
)
def test_every_argument_reaches_the_run(wine, changed):
    plain, other = (jaxmlp.fit_mlp(wine, **QUICK | one) for one in ({}, changed))
    assert np.isfinite(other.history["train_loss"]).all()
    assert not np.array_equal(plain.history["train_loss"], other.history["train_loss"])


def test_an_optimizer_by_name_has_its_own_decay(wine):
    plain, given = (
        jaxmlp.fit_mlp(wine, optimizer="adamw", weight_decay=decay, **QUICK) for decay in (None, 1e-2)
    )
    np.testing.assert_array_equal(plain.history["train_loss"], given.history["train_loss"])


@pytest.mark.parametrize("fit", ["fit_mlp", "fit_ensemble"])
def test_a_run_of_one_step_that_learns_nothing_says_so(fit, wine, capsys):
    options = {"num_epochs": 1, "batch_size": len(wine.train.inputs), "schedule": "cycles", "progress": False}
    getattr(jaxmlp, fit)(wine._replace(validation_is_cut=False), **options)
    assert "warning: schedule: with as few steps as 1, 'cycles' reaches 0%" in capsys.readouterr().err


@pytest.mark.parametrize("data", ["wine", "far"])
def test_another_fit_of_the_same_kind_compiles_nothing(data, request):
    splits = request.getfixturevalue(data)
    jaxmlp.fit_mlp(splits, **QUICK)
    misses = compilation._lower.cache_info().misses
    jaxmlp.fit_mlp(splits, learning_rate=0.02, seed=3, **QUICK)
    assert compilation._lower.cache_info().misses == misses


def test_patience_monitor_and_seeds_are_those_of_fit(wine):
    found = jaxmlp.fit_mlp(wine, monitor="log_loss", patience=1, num_epochs=300, progress=False)
    losses = found.history["validation_log_loss"]
    assert len(losses) < 300 and found.best_epoch == len(losses) - 1
    assert losses.argmin() == found.best_epoch - 1


def test_the_epoch_is_chosen_by_rows_as_they_count():
    draws = np.random.default_rng(0)
    inputs, labels = draws.normal(size=(300, 2)), draws.integers(0, 2, 300)
    weights = np.where(labels, 9.0, 1.0) * draws.uniform(0.0, 2.0, 300)
    splits = jaxmlp.from_arrays(inputs, labels, sample_weight=weights, validation_fraction=0.3)
    own, others = splits.validation, splits._replace(validation=splits.validation._replace(weights=None))
    found, alike = (jaxmlp.fit_mlp(one, **QUICK | {"num_epochs": 30}) for one in (splits, others))
    right = jaxmlp.predict(found.model, own.inputs) == own.targets
    np.testing.assert_allclose(found.run.best_score, np.average(right, weights=own.weights), rtol=1e-6)
    np.testing.assert_array_equal(found.history["train_loss"], alike.history["train_loss"])
    curve = found.history["validation_accuracy"]
    assert found.best_epoch == len(curve) - curve[::-1].argmax()
    assert not np.array_equal(curve, alike.history["validation_accuracy"])
    # As sure as fits these rows as they count.
    assert found.model.spec.temperature != alike.model.spec.temperature


def test_classes_weigh_as_much_as_in_the_splits():
    weights = {0: 5.0, 1: 1.0, 2: 0.5}
    splits = jaxmlp.load_dataset("wine"), jaxmlp.load_dataset("wine", class_weight=weights)
    here, there = (
        jaxmlp.fit_mlp(one, class_weight=own, **QUICK)
        for one, own in zip(splits, (weights, None), strict=True)
    )
    for name, values in here.history.items():
        np.testing.assert_allclose(values, there.history[name], rtol=1e-4)
    assert here.model.spec.temperature == pytest.approx(there.model.spec.temperature, rel=1e-3)


@pytest.mark.parametrize("fit", ["fit_mlp", "fit_ensemble"])
def test_flat_bytes_are_a_table(tmp_path, fit):
    inputs = np.random.default_rng(0).integers(0, 256, (90, 4), np.uint8)
    labels = (inputs[:, 0] > inputs[:, 1]).astype(int)
    models = []
    for table in (inputs, inputs.astype(float)):
        splits = jaxmlp.from_arrays(table, labels)
        options = {"num_members": 3} if fit == "fit_ensemble" else {}
        found = getattr(jaxmlp, fit)(splits, num_epochs=20, progress=False, **options)
        models.append(getattr(found, "ensemble", None) or found.model)
    model = jaxmlp.load(jaxmlp.save(tmp_path / "m", models[0]))
    probabilities = jaxmlp.predict_proba(model, inputs)
    np.testing.assert_array_equal(probabilities, jaxmlp.predict_proba(models[1], inputs.astype(float)))
    alone = numpy_predictor.predict_proba(numpy_predictor.load(tmp_path / "m"), inputs)
    np.testing.assert_allclose(probabilities, alone, atol=1e-5)
    right = np.mean(probabilities.argmax(axis=1) == labels)
    # A mean in single precision.
    assert jaxmlp.evaluate(model, (inputs, labels))["accuracy"] == pytest.approx(right, rel=1e-6)
    assert right > 0.8


def test_a_model_can_be_asked_to_stay_within_the_targets_of_training(tmp_path, far, wine):
    run = jaxmlp.fit_mlp(far, **QUICK | {"learning_rate": 0.01}).run
    params = jax.tree.map(lambda leaf: leaf[0], run.params)
    networks = [TrainedNetwork(jaxmlp.NetworkSpec((64,), "relu"), params)]
    free, bound = (build_model(far, fit_scaling(far), networks, clip=clip) for clip in (False, True))
    bound = jaxmlp.load(jaxmlp.save(tmp_path / "m", bound))
    low, high = far.train.targets.min(), far.train.targets.max()
    assert bound.spec.target_range == ((low, high),)
    inputs, expected = far.test.inputs * 9, jaxmlp.predict(free, far.test.inputs * 9)
    assert expected.min() < low and high < expected.max()
    np.testing.assert_array_equal(jaxmlp.predict(bound, inputs), np.clip(expected, low, high))
    with pytest.raises(InputError, match=r"^clip: is for the values of a regression, not for classes"):
        build_model(wine, fit_scaling(wine), networks, clip=True)


# Losses and metrics of one's own


def pinball(logits, target):
    """Least at the 0.9 quantile."""
    error = target - logits[0]
    return jnp.maximum(0.9 * error, -0.1 * error)


def absolute_error(predictions, targets):
    return jnp.mean(jnp.abs(predictions - targets))


def test_a_loss_of_ones_own_trains_a_model_that_saves_and_predicts(tmp_path, far):
    found = jaxmlp.fit_mlp(
        far._replace(train=far.train._replace(targets=far.train.targets / 1000)),
        **QUICK | {"num_epochs": 60, "learning_rate": 0.3},
        loss=lambda logits, target: pinball(logits, target),
        monitor="r2",
    )
    model = jaxmlp.load(jaxmlp.save(tmp_path / "quantile.safetensors", found.model))
    below = far.test.targets / 1000 < jaxmlp.predict(model, far.test.inputs)
    # Of 120, with a standard deviation of 3 %.
    assert 0.8 < below.mean() < 0.99


def test_a_loss_of_ones_own_is_what_chooses(wine):
    def hinge(logits, label):
        others = jnp.where(jnp.arange(3) == label, -jnp.inf, logits)
        return jnp.maximum(0, 1 + others.max() - logits[label])

    found = jaxmlp.fit_mlp(wine, loss=hinge, **QUICK)
    losses = found.history["validation_loss"]
    assert found.best_epoch - 1 == len(losses) - 1 - losses[::-1].argmin()
    # Unlike the cross-entropy, it reaches 0.
    longer = jaxmlp.fit_mlp(wine, loss=hinge, num_epochs=200, progress=False)
    assert longer.history["train_loss"][-1] == 0


def test_metrics_of_ones_own_see_probabilities(wine):
    def brier(logits, labels):
        return jnp.mean(jnp.sum((jnp.exp(logits) - jax.nn.one_hot(labels, 3)) ** 2, axis=1))

    metrics = {"brier": Metric(brier, higher_is_better=False)}
    found = jaxmlp.fit_mlp(wine, metrics=metrics, monitor="brier", **QUICK)
    assert found.history["validation_brier"].argmin() == found.best_epoch - 1
    truth = np.eye(3)[wine.test.targets]
    expected = np.mean(((jaxmlp.predict_proba(found.model, wine.test.inputs) - truth) ** 2).sum(axis=1))
    measured = jaxmlp.evaluate(found.model, wine.test, {"brier": brier})
    np.testing.assert_allclose(measured["brier"], expected, rtol=1e-5)


def test_metrics_of_real_targets_are_in_their_unit(far):
    found = jaxmlp.fit_mlp(far, metrics={"mae": absolute_error}, num_epochs=30, progress=False)
    reached = jaxmlp.evaluate(found.model, far.validation, {"mae": absolute_error})
    errors = np.abs(jaxmlp.predict(found.model, far.validation.inputs) - far.validation.targets)
    np.testing.assert_allclose(reached["mae"], errors.mean(), rtol=1e-4)
    last = found.best_epoch - 1
    for name in ("mae", "rmse", "r2"):
        np.testing.assert_allclose(found.history[f"validation_{name}"][last], reached[name], rtol=1e-3)
    assert 100 < reached["mae"] < 2000 and reached["r2"] > 0.8


# Going on from a model


def test_a_run_goes_on_from_a_model(wine):
    first = jaxmlp.fit_mlp(wine, hidden_sizes=(8,), **QUICK).model
    still = jaxmlp.fit_mlp(wine, start=first, learning_rate=1e-12, num_epochs=1, progress=False)
    for before, after in zip(first.networks[0], still.model.networks[0], strict=True):
        np.testing.assert_allclose(before.weight, after.weight, rtol=1e-6)
    longer = jaxmlp.fit_mlp(wine, start=first, num_epochs=50, progress=False)
    before, after = (jaxmlp.evaluate(model, wine.train)["log_loss"] for model in (first, longer.model))
    assert after < before / 2
    assert isinstance(longer.model.networks[0][0], Layer) and longer.model.networks[0][0].bias.shape == (8,)


def test_a_run_goes_on_from_a_model_whose_classes_were_text(wine):
    first = jaxmlp.fit_mlp(wine, hidden_sizes=(8,), **QUICK).model
    numbered = wine._replace(class_names=(0, 1, 2))
    old = with_spec(first, class_names=("0", "1", "2"))
    assert jaxmlp.fit_mlp(numbered, start=old, **QUICK).model.spec.class_names == (0, 1, 2)
    with pytest.raises(InputError, match=r"^start: was trained on other data: "):
        jaxmlp.fit_mlp(numbered, start=first, **QUICK)


def test_a_model_of_shifted_data_keeps_the_scale_that_it_learnt(far):
    first = jaxmlp.fit_mlp(far, hidden_sizes=(8,), num_epochs=30, progress=False).model
    moved = far._replace(train=far.train._replace(targets=far.train.targets + 500))
    found = jaxmlp.fit_mlp(moved, start=first, learning_rate=1e-12, num_epochs=1, progress=False)
    np.testing.assert_array_equal(found.model.targets.shift, first.targets.shift)
    np.testing.assert_allclose(
        *(jaxmlp.predict(model, far.test.inputs) for model in (first, found.model)), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"hidden_sizes": (9,)}, r"hidden_sizes: are those of start, \(8,\), got \(9,\); leave it out"),
        ({"activation": "tanh"}, "activation: are those of start, relu, got tanh; leave it out"),
        ({"initial_scale": 2.0}, "initial_scale: the initial weights are those of start; leave it out"),
        ({"start": "ensemble"}, "start: must be a single network, got an ensemble of 2"),
        ({"start": "iris"}, r"start: was trained on other data: these have \(13,\), it had \(4,\)"),
    ],
)
def test_what_does_not_go_on_from_a_model_is_refused(wine, changed, says):
    quick = QUICK | {"num_epochs": 1, "hidden_sizes": (8,)}
    first = jaxmlp.fit_mlp(wine, **quick).model
    starts = {
        "iris": lambda: jaxmlp.fit_mlp(jaxmlp.load_dataset("iris"), **quick).model,
        "ensemble": lambda: first._replace(
            networks=first.networks * 2,
            spec=with_spec(first, networks=first.spec.networks * 2).spec,
        ),
    }
    start = starts[changed["start"]]() if "start" in changed else first
    with pytest.raises(InputError, match=f"^{says}"):
        jaxmlp.fit_mlp(wine, **QUICK | changed | {"start": start})


def test_a_loss_of_ones_own_gets_no_targets_that_start_learnt_scaled(far):
    quick = QUICK | {"num_epochs": 1}
    scaled = jaxmlp.fit_mlp(far, **quick).model
    with pytest.raises(InputError, match=r"^loss: your own gets the targets as they are, but start"):
        jaxmlp.fit_mlp(far, start=scaled, loss=pinball, **quick)
    plain = jaxmlp.fit_mlp(far, loss=pinball, **quick).model
    longer = jaxmlp.fit_mlp(far, start=plain, loss=pinball, **quick)
    # About 0.9 of targets near 50,000, not of scaled ones.
    assert longer.history["train_loss"][0] > 40_000


# Weights


def test_who_weighs_nothing_is_not_learnt():
    labels = np.arange(90) % 3
    inputs = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).normal(size=(90, 3))
    splits = jaxmlp.from_arrays(inputs, labels, sample_weight=(labels != 2).astype(float))
    found = jaxmlp.fit_mlp(splits, learning_rate=0.1, num_epochs=20, progress=False)
    assert set(jaxmlp.predict(found.model, inputs).tolist()) == {0, 1}
    # On top of these, not in their place.
    again = jaxmlp.fit_mlp(splits, class_weight={0: 1.0, 1: 2.0, 2: 9.0}, num_epochs=1, progress=False)
    once = jaxmlp.fit_mlp(splits, num_epochs=1, progress=False)
    assert again.history["train_loss"] != once.history["train_loss"]


# Refusals


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_seeds": 0}, "num_seeds: must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed: must be a whole number of at least 0, got -1"),
        ({"batch_size": 0}, "batch_size: must be a whole number of at least 1, got 0"),
        ({"batch_size": 0, "num_epochs": None}, "batch_size: must be a whole number of at least 1, got 0"),
        ({"batch_size": 1000}, "batch_size: must be at most the 127 training examples, got 1000"),
        ({"num_epochs": 0}, "num_epochs: must be a whole number of at least 1, got 0"),
        ({"hidden_sizes": (0,)}, "hidden_sizes: must be a whole number of at least 1, got 0"),
        ({"activation": ""}, f"activation: unknown name ''; known: {', '.join(sorted(ACTIVATIONS))}"),
        ({"activation": "rellu"}, "activation: unknown name 'rellu'; did you mean 'relu'?"),
        ({"optimizer": "adamm"}, "optimizer: unknown name 'adamm'; did you mean 'adam'?"),
        ({"learning_rate": -1.0}, "learning_rate: must be a finite number above 0, got -1.0"),
        ({"monitor": "accurracy"}, "monitor: unknown name 'accurracy'; did you mean 'accuracy'?"),
        ({"augment": random_deformation}, "augment: is for images, but an example of wine has shape (13,)"),
        (
            {"metrics": {"mine": absolute_error}, "monitor": "mine"},
            "monitor: nothing says whether more of 'mine' is better; give it as "
            "jaxmlp.Metric(function, higher_is_better=…)",
        ),
        (
            {"loss": pinball, "label_smoothing": 0.1},
            "label_smoothing: needs classes and their cross-entropy, but the loss is your own; leave it out",
        ),
        (
            {"optimizer": optax.sgd(0.1), "learning_rate": 0.1},
            "learning_rate: an optimizer of your own has its own; set it there and leave this None",
        ),
        (
            {"rate_multipliers": {"biass": 0.1}},
            "rate_multipliers: unknown name 'biass'; did you mean 'bias'?",
        ),
        (
            # The first of them alone is looked at by the check of types here.
            {"rate_multipliers": {"bias": 0.1, "weight": [0.1]}},
            "rate_multipliers: must be a finite number of at least 0, got [0.1]",
        ),
        ({"mesh": "data=2"}, "mesh: data=2 needs 2 devices, but there are 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(wine, changed, says):
    with pytest.raises(InputError) as error:
        jaxmlp.fit_mlp(wine, **QUICK | changed)
    assert str(error.value) == says


@pytest.mark.usefixtures("no_runtime_types")
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"splits": None}, "splits: must be of the type Splits, got None"),
        ({"splits": (np.ones((9, 2)), np.ones(9))}, "splits: must be of the type Splits, got (array("),
        ({"hidden_sizes": 64}, "hidden_sizes: must be a number for each layer, as (64,), got 64"),
        ({"precision": ["float32"]}, "precision: unknown name ['float32']; did you mean 'float32'?"),
        ({"optimizer": None}, "optimizer: must be of the type str or GradientTransformation, got None"),
        ({"loss": "mse"}, "loss: must be of the type Callable or None, got 'mse'"),
        ({"metrics": [pinball]}, "metrics: must be of the type Mapping or None, got [<function pinball"),
        ({"start": "m.safetensors"}, "start: must be of the type Model or None, got 'm.safetensors'"),
        ({"mesh": 2}, "mesh: must be of the type str or Mesh or None, got 2"),
        ({"checkpoints": "runs"}, "checkpoints: must be of the type Checkpoints or None, got 'runs'"),
        ({"num_epochs": "9", "schedule": "cosine"}, "num_epochs: must be a whole number of at least 1, got"),
        (
            {"learning_rate": [0.1, 0.2]},
            "learning_rate: must be one number, got [0.1, 0.2]; fit_ensemble tries several",
        ),
    ],
)
def test_what_is_of_another_type_is_refused_in_one_line(wine, changed, says):
    with pytest.raises(InputError, match=f"^{re.escape(says)}") as error:
        jaxmlp.fit_mlp(**{"splits": wine} | QUICK | changed)
    assert "\n" not in str(error.value)


def test_results_show_themselves_in_a_few_lines(read, far):
    one = jaxmlp.fit_mlp(far, num_epochs=2, progress=False)
    texts = {type(shown).__name__: repr(shown) for shown in (read, read.model, read.run, far)}
    for name, text in texts.items():
        assert text.startswith(f"{name}\n") and text.count("\n") < 14, text
        assert max(map(len, text.splitlines())) < 120, text
    assert "chosen among: 3 seeds" in texts["FitResult"] and "chosen" not in repr(one)
    assert f"best epoch: {read.best_epoch}\n" in texts["FitResult"]
    assert "networks: 1: 64-64-10 relu" in texts["Model"]
    measured = with_spec(read.model, metrics={"test_loss": 0.0, "test_r2": None})
    assert "test loss: 0" in repr(measured) and "r2" not in repr(measured)
    page = read._repr_html_()
    assert page.startswith("<table><caption>FitResult</caption>") and "64-64-10 relu" in page


def test_hyperparams_are_those_that_one_may_give():
    import inspect

    names = set(inspect.signature(jaxmlp.fit_mlp).parameters)
    assert {*Hyperparams._fields} - names == {"num_steps"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"activation": "tanh"}, "network was .*'relu'.*, and is .*'tanh'"),
        ({"optimizer": "nadam"}, "optimizer was \"'adam'\", and is \"'nadam'\""),
        ({"optimizer": optax.adam(1e-3), "learning_rate": None}, "learning_rate was 0.001.*, and is None"),
        ({"precision": "bfloat16"}, "precision was"),
        ({"rate_multipliers": {"bias": 0.5}}, "rate_multipliers was"),
        ({"loss": pinball}, "loss was 'None', and is 'pinball'"),
        ({"metrics": {"mine": absolute_error}}, r"metrics was .*, and is .*'mine'"),
    ],
)
def test_a_run_that_was_shaped_otherwise_is_not_gone_on_with(wine, changed, says, tmp_path):
    kept = jaxmlp.Checkpoints(tmp_path, every=1)
    jaxmlp.fit_mlp(wine, checkpoints=kept, **QUICK)
    resumed = {"checkpoints": kept._replace(resume=True), **QUICK, "num_epochs": 6}
    with pytest.raises(InputError, match=says):
        jaxmlp.fit_mlp(wine, **resumed | changed)
    assert len(jaxmlp.fit_mlp(wine, **resumed).history["train_loss"]) == 6


def test_where_the_targets_to_choose_by_do_not_differ_their_error_chooses(far):
    one = far._replace(validation=jax.tree.map(lambda leaf: leaf[:1], far.validation))
    found = jaxmlp.fit_mlp(one, patience=40, **QUICK | {"num_epochs": 40, "learning_rate": 0.05})
    assert found.run.choice.monitor == "rmse" and np.isfinite(found.run.best_score).all()
    assert found.best_epoch - 1 == found.history["validation_rmse"].argmin()
    assert jaxmlp.fit_mlp(far, **QUICK).run.choice.monitor == "r2"


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        # In its only step, whose loss is that of the first parameters.
        ("wine", {"learning_rate": 1e30, "batch_size": 127}),
        ("far", {"monitor": "r2"}),
    ],
    ids=["lost in the last step", "no measure"],
)
def test_a_run_in_which_nothing_can_be_chosen_says_so(data, changes, request, capsys):
    splits = request.getfixturevalue(data)
    splits = splits._replace(validation=jax.tree.map(lambda leaf: leaf[:1], splits.validation))
    found = jaxmlp.fit_mlp(splits, **QUICK | {"num_epochs": 1} | changes)
    assert found.best_epoch == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.model.networks))
    assert "was no number in any epoch, so the network is untrained\n" in capsys.readouterr().err


def test_a_model_goes_on_in_the_precision_of_the_run(wine):
    start = jaxmlp.fit_mlp(wine, **QUICK).model
    with jax.enable_x64(True):
        splits = jaxmlp.load_dataset("wine")
        found = jaxmlp.fit_mlp(splits, start=start, momentum=0.9, **QUICK)
    assert {leaf.dtype for leaf in jax.tree.leaves(found.run.params)} == {np.dtype(np.float64)}


def test_images_are_scaled_in_double_precision_where_that_is_turned_on():
    images = np.arange(160, dtype=np.uint8).reshape(40, 2, 2)
    splits, spec = jaxmlp.from_arrays(images, np.arange(40) % 2), NetworkSpec((), "relu")
    # Also where a run in single precision has asked for the same network before.
    prepare_training(splits)[0](spec)
    with jax.enable_x64(True):
        layer = Layer(jnp.ones((4, 1)), jnp.zeros(1))
        found = prepare_training(splits)[0](spec).predict_fn((layer,), (), jnp.asarray(images[7]))
    low, high = (float(bound(splits.train.inputs)) for bound in (np.min, np.max))
    np.testing.assert_allclose(found, [((images[7] - low) / (high - low)).sum()], rtol=1e-14)
