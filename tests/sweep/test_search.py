"""From data and ranges to models that predict from raw values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

import jaxmlp
from jaxmlp.data import sources
from jaxmlp.data.splits import scale_part
from jaxmlp.models import evaluation, training
from jaxmlp.models.model import load, save, with_spec
from jaxmlp.models.prediction import network_outputs, predict, predict_proba
from jaxmlp.runtime import compilation, devices
from jaxmlp.sweep import cost as sweep_cost
from jaxmlp.sweep import loop, search
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.cost import estimate_cost, measure_peak
from jaxmlp.sweep.halving import members_per_epoch
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice
from jaxmlp.train import batching
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.types import InputError

SPACE = {"hidden_sizes": Choice((8,)), "depth": Choice((1,)), "optimizer": Choice(("adam",))}
SPACE |= {"activation": Choice(("relu",))}


def splits_of(name, **options):
    return sources.load_dataset(name, validation_fraction=0.25, **options)


def searched(splits, **options):
    options |= {"num_members": 4, "num_epochs": 4, "halving": None, "progress": False}
    return search.fit_ensemble(splits, SPACE, **options)


@pytest.fixture(scope="module")
def wine():
    splits = splits_of("wine")
    return splits, searched(splits)


@pytest.fixture(scope="module")
def diabetes():
    splits = splits_of("diabetes")
    return splits, searched(splits, batch_size=32)


def test_the_best_model_predicts_from_raw_values_what_its_score_says(wine):
    splits, found = wine
    predictions = predict(found.best, splits.validation.inputs)
    score = accuracy_score(splits.validation.targets, predictions)
    np.testing.assert_allclose(score, found.sweep.scores[found.sweep.best], rtol=1e-6)


def test_the_ensembles_file_holds_all_it_takes(wine, tmp_path):
    splits, found = wine
    loaded = load(save(tmp_path / "model.safetensors", found.ensemble))
    assert loaded.spec == found.ensemble.spec
    assert [one.count for one in loaded.spec.networks] == [c.count for c in found.sweep.ensemble]
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


def test_the_temperature_costs_least_on_validation_data_of_those_that_do_not_sharpen(wine):
    splits, found = wine
    assert found.ensemble.spec.temperature >= 1

    def cost(factor):
        temperature = factor * found.ensemble.spec.temperature
        model = with_spec(found.ensemble, temperature=temperature)
        return evaluation.evaluate(model, splits.validation)["log_loss"]

    sharper = [cost(0.8)] if 0.8 * found.ensemble.spec.temperature >= 1 else []
    assert cost(1) <= min([cost(1.25), *sharper])


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
    errors = predict(loaded, splits.validation.inputs) - splits.validation.targets
    (noise,) = loaded.spec.noise_scale
    np.testing.assert_allclose(noise, np.sqrt(np.mean(np.square(errors))), rtol=1e-5)
    inside = np.abs(predict(loaded, splits.test.inputs) - splits.test.targets) <= 1.6448536 * noise
    np.testing.assert_allclose(evaluation.evaluate(loaded, splits.test)["coverage_90"], inside.mean())


def test_several_targets_are_scaled_each_by_its_own(tmp_path):
    splits = splits_of("linnerud")
    found = searched(splits, batch_size=8)
    loaded = load(save(tmp_path / "model.safetensors", found.ensemble))
    assert predict(loaded, splits.test.inputs).shape == splits.test.targets.shape
    assert len(loaded.spec.noise_scale) == 3
    spread = splits.train.targets.std(axis=0)
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
    assert (losses[0] != losses[1]).all()


@pytest.mark.parametrize(
    ("num_examples", "size"), [(54_000, 128), (1200, 128), (100, 8), (300, 32), (16, 8), (4, 4)]
)
def test_a_small_data_set_has_small_batches(num_examples, size):
    assert batching.default_batch_size(num_examples) == size


def test_the_plan_knows_the_memory_of_a_member_and_counts_who_trains(monkeypatch):
    splits = splits_of("digits")
    members = draw_members(SPACE, 9, max_programs=1)
    settings = SweepConfig("multiclass", num_epochs=9, batch_size=128)
    monkeypatch.setattr(sweep_cost, "measure_peak", lambda: 1e11)
    expected = estimate_cost(splits, members, settings)
    size = 65 * 8 + 9 * 10
    assert (expected.num_programs, expected.num_parameters) == (1, 9 * size)
    network_of, data = training.prepare_training(splits)
    held = loop.init_sweep(members, network_of, settings._replace(chunk_size=9), 1).chunks[0].state, data[:2]
    assert expected.memory_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(held))
    # Parameters, the best so far, and Adam's two moments.
    assert 0 < expected.memory_bytes - sum(part.inputs.nbytes for part in data[:2]) - 9 * 16 * size < 10_000
    assert (expected.num_devices, expected.num_at_once, expected.wait) == (1, 2, False)
    two = settings._replace(mesh=jax.sharding.Mesh(np.array(2 * jax.devices())[:, None], devices.AXES))
    spread = estimate_cost(splits, members, two)
    assert (spread.num_devices, spread.num_at_once) == (2, 4)
    np.testing.assert_allclose(spread.train_seconds, expected.train_seconds / 2)
    on_each = sum(leaf.nbytes for leaf in jax.tree.leaves(data[:2]))
    assert spread.memory_bytes - on_each == -(-(expected.memory_bytes - on_each) // 2)
    twice = estimate_cost(splits, members, settings._replace(halving=None))
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
        ({"space": 3}, "space: must be of the type Mapping, got 3"),
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
