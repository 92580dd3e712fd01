"""A population of seeds against each seed's run alone."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.harness.training import population_logits
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION, Metric
from jaxmlp.nn.network import Network, make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime.devices import AXES
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import grid, seed_keys, vmap_runs
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.train.tuning import fit_population, tune
from jaxmlp.types import Dataset, Hyperparams, InputError, Layer

SEEDS = (0, 1, 5)
HYPERPARAMS = Hyperparams(0.05, dropout=0.25)


def dataset():
    random = np.random.default_rng(0)
    return Dataset(random.normal(size=(13, 3)).astype(float), random.integers(0, 2, 13).astype(np.int32))


@cache
def functions(batch_size=4, dtype=np.float32):
    """One pair for all runs of a batch size, so that each shape of run compiles once.

    Precisions do not share it: what jax remembers of a function traced in one does not fit the other.
    """
    network = make_network((3, 6, 2), heads.multiclass, Affine(np.zeros((), dtype), np.ones((), dtype)))
    train = make_train(network.init_fn, network.loss_fn, make_optimizer("adam"), batch_size)
    return train, make_evaluate(network.predict_fn, CLASSIFICATION)


@cache
def population(batch_size=4, dtype=np.float32):
    return vmap_runs(*functions(batch_size, dtype), "key", "data_key")


def fitted(train, evaluate, key, data_key, num_epochs, hyperparams=HYPERPARAMS):
    data = dataset()
    keys = {"key": key, "data_key": data_key}
    options = {"hyperparams": hyperparams, "num_epochs": num_epochs, "monitor": "log_loss"}
    return fit(train, evaluate, data, data, **keys, **options, progress=False)


def test_a_member_is_its_seeds_run_alone_in_double_precision():
    with jax.enable_x64(True):
        keys, data_keys = seed_keys(SEEDS)
        members = fitted(*population(dtype=np.float64), keys, data_keys, num_epochs=10)
        for i, seed in enumerate(SEEDS):
            alone = fitted(
                *functions(dtype=np.float64), *jax.random.split(jax.random.key(seed)), num_epochs=10
            )
            member = jax.tree.map(lambda values, i=i: values[i], (members.params, members.history))
            chex.assert_trees_all_close(member, (alone.params, alone.history), rtol=0, atol=1e-8)
            assert members.best_epoch[i] == alone.best_epoch
    assert members.params[0].weight.dtype == np.float64


def test_a_member_is_its_seeds_run_alone_for_one_step_in_single_precision():
    keys, data_keys = seed_keys(SEEDS)
    members = fitted(*population(13), keys, data_keys, num_epochs=1)
    alone = fitted(*functions(13), *jax.random.split(jax.random.key(SEEDS[-1])), num_epochs=1)
    last = jax.tree.map(lambda values: values[-1], members.params)
    chex.assert_trees_all_close(last, alone.params, rtol=0, atol=1e-6)


def test_the_same_seeds_give_the_same_bits_twice():
    results = [fitted(*population(), *seed_keys(SEEDS), num_epochs=3) for _ in range(2)]
    first, second = ((result.params, result.history, result.best_epoch) for result in results)
    chex.assert_trees_all_equal(first, second)


def first_epoch(keys, data_keys, hyperparams=HYPERPARAMS, batch_size=4):
    """The loss of two members' first epoch."""
    train, _ = population(batch_size)
    state = train.start(keys, hyperparams)
    data = jax.tree.map(jnp.asarray, dataset())
    return train.advance(state, hyperparams, data, jnp.int32(0), data_keys)[1].loss


def test_seeds_differ_in_their_initial_weights():
    train, _ = population()
    weights = np.asarray(train.start(seed_keys(SEEDS)[0], HYPERPARAMS).params[0].weight)
    assert len(np.unique(weights.reshape(3, -1), axis=0)) == 3


def test_seeds_differ_in_their_order():
    # One initial network and no dropout: only the order is left to differ, and one batch of all has none.
    key, data_keys = jnp.stack([jax.random.key(0)] * 2), seed_keys(SEEDS[:2])[1]
    losses_of_batches = first_epoch(key, data_keys, Hyperparams(0.05))
    assert abs(losses_of_batches[0] - losses_of_batches[1]) > 1e-4
    np.testing.assert_allclose(*first_epoch(key, data_keys, Hyperparams(0.05), 13), rtol=1e-6)


def test_seeds_differ_in_their_dropout():
    # One initial network and one batch of all: only dropout is left to differ.
    key, data_keys = jnp.stack([jax.random.key(0)] * 2), seed_keys(SEEDS[:2])[1]
    losses = first_epoch(key, data_keys, HYPERPARAMS, 13)
    assert abs(losses[0] - losses[1]) > 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_the_keys_of_a_seed_do_not_depend_on_the_others(seed):
    key, data_key = seed_keys([seed])
    expected = jax.random.split(jax.random.key(seed))
    np.testing.assert_array_equal(jax.random.key_data(key[0]), jax.random.key_data(expected[0]))
    np.testing.assert_array_equal(jax.random.key_data(data_key[0]), jax.random.key_data(expected[1]))


def test_seeds_times_settings_are_the_runs_alone_in_double_precision():
    settings = grid(HYPERPARAMS, learning_rate=(0.01, 0.1), dropout=(0.0, 0.5))
    with jax.enable_x64(True):
        both = vmap_runs(*vmap_runs(*functions(dtype=np.float64), "hyperparams"), "key", "data_key")
        members = fitted(*both, *seed_keys(SEEDS), num_epochs=10, hyperparams=settings)
        assert members.best_epoch.shape == (3, 4)
        for seed, setting in ((0, 3), (2, 0), (1, 2)):
            alone = fitted(
                *functions(dtype=np.float64),
                *jax.random.split(jax.random.key(SEEDS[seed])),
                num_epochs=10,
                hyperparams=jax.tree.map(lambda values, i=setting: values[i], settings),
            )
            member = jax.tree.map(
                lambda values, at=(seed, setting): values[at], (members.params, members.history)
            )
            chex.assert_trees_all_close(member, (alone.params, alone.history), rtol=0, atol=1e-8)
            assert members.best_epoch[seed, setting] == alone.best_epoch


def test_a_population_is_fitted_and_measured_in_one_call():
    data = dataset()
    unit = Affine(np.zeros((), np.float32), np.ones((), np.float32))
    network = make_network((3, 6, 2), heads.multiclass, unit)
    settings = grid(Hyperparams(), learning_rate=(1e-3, 0.1, 1e30))
    options = {
        "seeds": range(2),
        "metrics": CLASSIFICATION,
        "batch_size": 4,
        "num_epochs": 3,
        "progress": False,
    }
    fitted, evaluate = fit_population(
        network, make_optimizer("sgd"), data, data, hyperparams=settings, **options
    )
    assert fitted.history["validation_accuracy"].shape == (2, 3, 3)
    best = np.nanmax(fitted.history["validation_accuracy"], axis=-1)[:, :2]
    measured = np.asarray(evaluate(fitted.params, fitted.model_state, data)["accuracy"])
    np.testing.assert_allclose(measured[:, :2], best, rtol=1e-6)
    # The last rate diverges, and takes nobody with it.
    assert not np.isfinite(fitted.history["train_loss"][:, 2, -1]).any()
    assert np.isfinite(fitted.history["train_loss"][:, :2]).all()


def tuned(rates, **changes):
    unit = Affine(np.zeros((), np.float32), np.ones((), np.float32))
    network = make_network((3, 6, 2), heads.multiclass, unit)
    data = dataset()
    options = {"seeds": range(2), "batch_size": 4, "num_epochs": 3, "progress": False, **changes}
    settings = grid(Hyperparams(), learning_rate=rates)
    return network, tune(
        network, make_optimizer("sgd"), data, data, metrics=CLASSIFICATION, hyperparams=settings, **options
    )


@pytest.mark.parametrize("monitor, higher_is_better", [("accuracy", True), ("log_loss", False)])
def test_the_setting_with_the_best_mean_wins_and_its_networks_are_kept(monitor, higher_is_better):
    network, best = tuned((1e-4, 0.3, 1e30), monitor=monitor)
    history = best.fit.history[f"validation_{monitor}"][:, :2]
    scores = history.max(axis=-1) if higher_is_better else history.min(axis=-1)
    np.testing.assert_allclose(best.scores[:, :2], scores, rtol=1e-6)
    assert best.setting == (np.argmax if higher_is_better else np.argmin)(scores.mean(axis=0))
    measured = best.evaluate(best.params, best.model_state, dataset())
    np.testing.assert_allclose(measured[monitor], best.scores[:, best.setting], rtol=1e-6)
    logits = population_logits(network, best.params, dataset().inputs)
    assert logits.shape == (2, 13, 2)
    right = (logits.argmax(axis=-1) == dataset().targets).mean(axis=-1)
    np.testing.assert_allclose(measured["accuracy"], right, rtol=1e-6)


def test_a_setting_that_diverged_cannot_win():
    # Far too large a rate, whose first epoch may well be the best by chance.
    _, best = tuned((1e3, 1e-6), num_epochs=30)
    assert best.setting == 1 and "setting: index 1 of 2 settings" in repr(best)


def test_when_every_setting_lost_a_seed_none_wins():
    # Each seed draws a parameter; above 0 its loss is infinite at the larger rate, below 0 at the smaller.
    def init_fn(key, hyperparams):
        return jax.random.normal(key), ()

    def loss_fn(params, model_state, example, key, hyperparams):
        lost = params * (hyperparams.learning_rate - 0.05) > 0
        return jnp.where(lost, jnp.inf, 0 * params), model_state

    network = Network(init_fn, loss_fn, lambda params, model_state, x: jnp.zeros(2))
    drawn = [init_fn(seed_keys([seed])[0][0], None)[0] for seed in range(8)]
    seeds = [int(np.argmax(drawn)), int(np.argmin(drawn))]
    assert drawn[seeds[0]] > 0 > drawn[seeds[1]]
    settings = grid(Hyperparams(), learning_rate=(0.01, 0.1))
    options = {"seeds": seeds, "hyperparams": settings, "batch_size": 4, "num_epochs": 2, "progress": False}
    with pytest.raises(FloatingPointError, match=r"^no setting stayed finite in every seed; "):
        tune(network, make_optimizer("sgd"), dataset(), dataset(), metrics=CLASSIFICATION, **options)


def test_the_first_layer_alone_gives_what_each_neuron_adds_up():
    inputs = np.array([[0.25, 0.5], [1.0, 0.0]], np.float32)
    affine = Affine(np.array([0.5, 0.5], np.float32), np.array([0.25, 0.5], np.float32))
    network = make_network((2, 2, 1), heads.binary, affine)
    weight = np.array([[[1.0, 2.0], [3.0, -1.0]]], np.float32)
    first = Layer(weight, np.array([[0.5, 0.0]], np.float32))
    # Standardised, the inputs are (-1, 0) and (2, -1).
    np.testing.assert_allclose(
        population_logits(network, (first,), inputs), [[[-0.5, -2.0], [-0.5, 5.0]]], rtol=1e-6
    )


def test_each_split_is_trained_and_validated_on_its_own_data():
    """One step of w ← w − 0.1 · 2 (w − mean x) from w = 0, and a validation that tells the data apart."""
    train = make_train(
        lambda key, rate: (jnp.zeros(()), ()),
        lambda w, state, example, key, rate: (jnp.square(w - example[0][0]), state),
        lambda rate: (optax.sgd(rate), lambda opt_state, params: params),
        batch_size=2,
    )
    evaluate = make_evaluate(lambda w, state, x: w + x, {"sum": Metric(lambda z, y: jnp.sum(z), True, "1")})
    train, evaluate = vmap_runs(train, evaluate, "key", "dataset", "data_key")
    key, data_key = seed_keys(range(2))
    data = Dataset(jnp.array([[[1.0], [3.0]], [[10.0], [30.0]]]), jnp.zeros((2, 2)))
    state, _ = train.advance(train.start(key, 0.1), 0.1, data, jnp.asarray(0), data_key)
    np.testing.assert_allclose(state.params, [0.4, 4.0], rtol=1e-6)
    summed = evaluate(state.params, (), data)["sum"]
    np.testing.assert_allclose(summed, [1 + 3 + 2 * 0.4, 10 + 30 + 2 * 4.0], rtol=1e-6)


def test_a_grid_has_every_combination_and_keeps_the_rest():
    settings = grid(
        Hyperparams(1.0, clip_norm=2.0), learning_rate=np.array([0.1, 0.2]), dropout=(0, 0.5, 0.9)
    )
    np.testing.assert_allclose(settings.learning_rate, [0.1] * 3 + [0.2] * 3)
    np.testing.assert_allclose(settings.dropout, [0, 0.5, 0.9] * 2)
    np.testing.assert_allclose(settings.clip_norm, [2.0] * 6)
    assert settings.weight_decay is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rat": [0.1]}, "values: unknown name 'learning_rat'; did you mean 'learning_rate'?"),
        ({"learning_rate": [0.1], "dropout": []}, "values: every hyperparameter needs at least one value"),
    ],
)
def test_a_grid_of_nothing_is_refused(values, message):
    with pytest.raises(InputError) as error:
        grid(Hyperparams(), **values)
    assert str(error.value) == message


def test_members_along_several_axes_are_spread_by_the_first():
    mesh = jax.make_mesh((1, 1), AXES, axis_types=(jax.sharding.AxisType.Auto,) * 2)
    network = make_network((3, 6, 2), heads.multiclass, Affine(np.zeros((), np.float32), np.ones(())))
    train = make_train(network.init_fn, network.loss_fn, make_optimizer("adam"), 4, mesh=mesh)
    runs = train, make_evaluate(network.predict_fn, CLASSIFICATION)
    both = vmap_runs(*vmap_runs(*runs, "key"), "key", "data_key")
    keys = jax.random.split(jax.random.key(0), (2, 3))
    assert fitted(*both, keys, seed_keys(range(2))[1], num_epochs=2).best_epoch.shape == (2, 3)
