"""The host loop on models small enough to know every score: the parameter counts the steps."""

import os
import signal
import time
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.harness.training import epoch_timer
from experiments.neurons.measure import moments
from jaxmlp.nn.metrics import Metric
from jaxmlp.train import loop
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import vmap_runs
from jaxmlp.train.state import Evaluate, Train
from jaxmlp.train.step import make_train
from jaxmlp.types import Dataset, Hyperparams, InputError

KEY, DATA_KEY = jax.random.split(jax.random.key(0))
DATASET = Dataset(np.ones(2, np.float32), np.ones(2, np.float32))


def counting_loss(params, model_state, example, key, hyperparams):
    """Its gradient of -1 makes SGD at rate 1 count the epochs."""
    return -params, model_state


def counter():
    """A run whose parameter is the number of epochs trained."""
    return make_train(
        lambda key, hyperparams: (jnp.zeros(()), ()),
        counting_loss,
        make_optimizer(optax.sgd(1.0)),
        batch_size=2,
    )


def measuring(function, higher_is_better=True):
    """An evaluation whose only metric is the score that ``function`` gives."""
    return Evaluate(function, {"score": Metric(lambda logits, targets: logits, higher_is_better)})


def scores(*values, higher_is_better=True):
    """An evaluation that gives these values after epochs 1, 2, …"""
    table = np.array([np.nan, *values], np.float32)
    return measuring(
        lambda params, model_state, dataset: {"score": jnp.asarray(table)[params.astype(int)]},
        higher_is_better,
    )


def run(train=None, evaluate=None, dataset=DATASET, validation=DATASET, **changes):
    arguments = {
        "key": KEY,
        "data_key": DATA_KEY,
        "hyperparams": Hyperparams(),
        "num_epochs": 6,
        "progress": False,
    }
    return fit(
        train or counter(),
        evaluate or scores(1, 2, 3, 4, 5, 6),
        dataset,
        validation,
        **{**arguments, **changes},
    )


@pytest.mark.parametrize(
    "values, higher_is_better, patience, best_epoch, num_epochs",
    [
        ((1, 3, 5, 2, 1, 0), True, None, 3, 6),
        ((1, 3, 5, 2, 1, 0), False, None, 6, 6),
        ((4, 2, 5, 6, 7, 8), False, None, 2, 6),
        ((1, 5, 2, 5, 1, 1), True, None, 4, 6),
        ((1, 5, 2, 3, 9, 9), True, 2, 2, 4),
        ((1, 5, 2, 6, 1, 1), True, 2, 4, 6),
        ((1, 5, 5, 5, 9, 9), True, 2, 4, 4),
        ((1, 0, 9, 9, 9, 9), True, 1, 1, 2),
    ],
    ids=[
        "middle",
        "last",
        "lowest",
        "tie",
        "patience",
        "gain in time",
        "a tie is no gain",
        "patience of one",
    ],
)
def test_the_best_epoch_wins(values, higher_is_better, patience, best_epoch, num_epochs):
    result = run(evaluate=scores(*values, higher_is_better=higher_is_better), patience=patience)
    assert int(result.best_epoch) == best_epoch
    assert float(result.params) == best_epoch
    np.testing.assert_array_equal(result.history["validation_score"], values[:num_epochs])
    # The loss is that before each step: minus the epochs already trained.
    np.testing.assert_array_equal(result.history["train_loss"], -np.arange(num_epochs))


def test_each_member_has_its_own_best_and_patience():
    # With patience 2, the first member stops after epoch 3 and must not take the 9 of epoch 5.
    table = np.array([[5, 1, 2, 0, 9, 9], [1, 2, 3, 4, 0, 0], [0, 0, 1, 0, 0, 7]], np.float32)
    train = counter()
    population = Train(
        lambda keys, hyperparams: jax.vmap(train.start, in_axes=(0, None))(keys, hyperparams)._replace(
            model_state=jnp.arange(3)
        ),
        jax.vmap(train.advance, in_axes=(0, None, None, None, None)),
        jax.vmap(train.eval_params, in_axes=(0, None)),
        num_axes=1,
    )

    def evaluate(params, member, dataset):
        return {"score": jnp.asarray(table)[member, params.astype(int) - 1]}

    of_all = measuring(jax.vmap(evaluate, in_axes=(0, 0, None)))
    result = run(population, of_all, key=jax.random.split(KEY, 3), patience=2)
    np.testing.assert_array_equal(result.best_epoch, [1, 4, 3])
    np.testing.assert_array_equal(result.params, [1, 4, 3])
    np.testing.assert_array_equal(result.model_state, [0, 1, 2])
    # Until epoch 6, when the second has gone two epochs without a gain.
    np.testing.assert_array_equal(result.history["validation_score"], table)
    assert result.history["train_loss"].shape == (3, 6)


def interrupting_scores(epoch):
    """Scores that send this process a real Ctrl-C while that epoch is evaluated."""

    def interrupt(params):
        if params == epoch:
            os.kill(os.getpid(), signal.SIGINT)
        return np.float32(params)

    def evaluate(params, model_state, dataset):
        return {"score": jax.pure_callback(interrupt, jax.ShapeDtypeStruct((), jnp.float32), params)}

    return measuring(evaluate)


@pytest.fixture
def own_handler():
    """A handler of the caller's, because the default one is also what a Ctrl-C leaves behind."""

    def handler(signum, frame):
        raise AssertionError("the run should have handled it")

    previous = signal.signal(signal.SIGINT, handler)
    yield handler
    signal.signal(signal.SIGINT, previous)


def test_ctrl_c_ends_the_run_after_the_call_with_what_it_has(own_handler):
    result = run(evaluate=interrupting_scores(3), num_epochs=100_000)
    assert signal.getsignal(signal.SIGINT) is own_handler
    # A call has at most four times as many epochs as the one before: after 1, epochs 2 to 5, or on a slow
    # machine after 1 and 1, epochs 3 to 6.
    assert result.interrupted and 3 <= int(result.best_epoch) <= 6
    np.testing.assert_array_equal(
        result.history["validation_score"], np.arange(1, 1 + int(result.best_epoch))
    )
    assert not run(num_epochs=1).interrupted


def diverging_train(is_bad):
    def loss_fn(params, model_state, example, key, hyperparams):
        return jnp.where(is_bad(params, hyperparams), jnp.inf, -params), model_state

    return make_train(
        lambda key, hyperparams: (jnp.zeros(()), ()), loss_fn, make_optimizer("sgd"), batch_size=1
    )


def test_a_loss_that_is_not_finite_names_epoch_and_step(own_handler):
    # Two steps an epoch: the fourth step, with the parameter at 3, is the second of epoch 2.
    train = diverging_train(lambda params, hyperparams: params >= 3)
    with pytest.raises(FloatingPointError, match=r"^the loss became non-finite in epoch 2, step 2; [^\n]*$"):
        run(train, hyperparams=Hyperparams(1.0))
    assert signal.getsignal(signal.SIGINT) is own_handler


def of_rates(*rates):
    """A population whose members' loss is infinite from the parameter 4 on, reached rate by rate."""
    train = diverging_train(lambda params, hyperparams: params >= 4)
    score = measuring(lambda params, model_state, dataset: {"score": params})
    population, evaluate = vmap_runs(train, score, "hyperparams")
    return {"train": population, "evaluate": evaluate, "hyperparams": Hyperparams(jnp.array(rates))}


def test_a_member_that_is_not_finite_keeps_its_best_and_the_others_go_on(capfd):
    # Two steps an epoch: rate 1 goes wrong in epoch 3, rate 4 in the first, rate 0.25 never.
    result = run(**of_rates(1.0, 4.0, 0.25), progress=True)
    np.testing.assert_array_equal(result.best_epoch, [2, 0, 6])
    np.testing.assert_array_equal(result.params, [4, 0, 3])
    lost = [[False] * 2 + [True] * 4, [True] * 6, [False] * 6]
    np.testing.assert_array_equal(~np.isfinite(result.history["train_loss"]), lost)
    assert "best validation score 3.0000, 2 not finite" in capfd.readouterr().err


def test_when_no_member_is_finite_any_more_the_run_ends():
    with pytest.raises(
        FloatingPointError, match=r"^the loss of the last member became non-finite in epoch 3, step 1;"
    ):
        run(**of_rates(1.0, 4.0))


HOLED = Dataset(np.array([1.0, np.nan], np.float32), np.ones(2, np.float32))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"num_epochs": 0}, "num_epochs: must be a whole number of at least 1, got 0"),
        ({"patience": 0}, "patience: must be a whole number of at least 1, got 0"),
        (
            {"hyperparams": Hyperparams(-1.0)},
            "learning_rate: must be a finite number above 0, got -1.0",
        ),
        (
            {"hyperparams": Hyperparams(jnp.array([0.1, -1.0]))},
            "learning_rate: must be a finite number above 0, got -1.0",
        ),
        ({"hyperparams": Hyperparams(dropout=1.0)}, "dropout: must be at least 0 and below 1, got 1.0"),
        (
            {"dataset": HOLED},
            "training inputs: must be finite, got 1 NaN or infinite values, first in example 1",
        ),
        (
            {"validation": HOLED},
            "validation inputs: must be finite, got 1 NaN or infinite values, first in example 1",
        ),
        (
            {"validation": DATASET._replace(weights=np.zeros(2, np.float32))},
            "validation weights: at least one must be above 0, got only zeros",
        ),
        ({"monitor": "skore"}, "monitor: unknown name 'skore'; did you mean 'score'?"),
        (
            {"evaluate": scores(1, higher_is_better=None)},
            "monitor: nothing says whether more of 'score' is better; give it as "
            "jaxmlp.Metric(function, higher_is_better=…)",
        ),
        (
            {"dataset": np.ones(2)},
            "dataset: must be a Dataset or a tuple (inputs, targets), got <class 'numpy.ndarray'>",
        ),
        (
            {"hyperparams": {"learning_rate": -1.0}},
            "learning_rate: must be a finite number above 0, got -1.0",
        ),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(changes, message):
    with pytest.raises(InputError) as error:
        run(**changes)
    assert str(error.value) == message


def test_without_progress_nothing_is_printed(capfd):
    run(num_epochs=2)
    assert capfd.readouterr() == ("", "")
    run(num_epochs=2, progress=True)
    out, err = capfd.readouterr()
    assert out.startswith("compiled in ")
    assert "2 of 2 epochs" in err
    assert "validation score 2.0000" in err


def test_every_epoch_is_timed_and_compiling_is_not():
    slow = make_train(
        lambda key, hyperparams: (jnp.zeros(()), ()),
        sleeping_loss,
        make_optimizer(optax.sgd(1.0)),
        batch_size=2,
    )
    epoch = epoch_timer(slow, DATASET, Hyperparams())
    assert all(0.05 <= epoch() < 5 for _ in range(3))


def sleeping_loss(params, model_state, example, key, hyperparams):
    """A loss whose step takes a twentieth of a second at least."""

    def sleep(x):
        time.sleep(0.05)
        return x

    x, _ = example
    slept = jax.pure_callback(sleep, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")
    return -params * jax.lax.stop_gradient(slept), model_state


def test_snapshots_are_taken_at_the_start_and_after_each_part():
    # The counter takes one step for every two examples.
    two, five = DATASET, Dataset(np.ones(5, np.float32), np.ones(5, np.float32))
    taken = [float(params) for params in moments(counter(), [two, five, two], KEY, DATA_KEY, Hyperparams())]
    # A partial last batch counts by its share.
    np.testing.assert_allclose(taken, [0, 1, 3.5, 4.5])


def test_snapshots_end_where_nothing_is_finite():
    train = diverging_train(lambda params, hyperparams: params >= 3)
    taken = moments(train, [DATASET] * 3, KEY, DATA_KEY, Hyperparams(1.0))
    assert [float(next(taken)), float(next(taken))] == [0, 2]
    with pytest.raises(FloatingPointError, match=r"^the loss became non-finite in epoch 2, step 2; "):
        next(taken)


def test_a_call_keeps_one_copy_of_the_state(monkeypatch):
    copy, copies = loop._copy, []

    def noted(state):
        assert not any(made() is not None for made in copies)
        copied = copy(state)
        copies.append(weakref.ref(copied.train.params))
        return copied

    monkeypatch.setattr(loop, "_copy", noted)
    monkeypatch.setattr(loop, "next_num_epochs", lambda *measured: 1)
    run()
    assert len(copies) == 6
