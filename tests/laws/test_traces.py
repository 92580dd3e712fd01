"""What is compiled, how often, and what the compiled program must not do."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn import heads, network
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.train import loop
from jaxmlp.train.epoch import make_epochs, make_init
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.state import EarlyStopping
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams

NUM_EXAMPLES, NUM_INPUTS = 11, 5
HYPERPARAMS = Hyperparams(0.05, dropout=0.25)
NETWORK = network.make_network((NUM_INPUTS, 3, 2), heads.multiclass, Affine(np.zeros(()), np.ones(())))


def dataset():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(NUM_EXAMPLES, NUM_INPUTS)).astype(np.float32)
    return Dataset(inputs, random.integers(0, 2, NUM_EXAMPLES).astype(np.int32))


def functions(loss_fn=NETWORK.loss_fn):
    train = make_train(NETWORK.init_fn, loss_fn, make_optimizer("adam"), batch_size=4)
    return train, make_evaluate(NETWORK.predict_fn, CLASSIFICATION)


def run(train, evaluate, num_epochs, keys=None):
    key, data_key = keys or (jax.random.key(0), jax.random.key(1))
    data, options = dataset(), {"num_epochs": num_epochs, "hyperparams": HYPERPARAMS, "progress": False}
    return loop.fit(train, evaluate, data, data, key=key, data_key=data_key, **options)


def test_a_run_of_any_length_traces_its_loss_once():
    traces = []

    def loss_fn(*arguments):
        traces.append(None)
        return NETWORK.loss_fn(*arguments)

    train_and_evaluate = functions(loss_fn)
    run(*train_and_evaluate, num_epochs=1)
    # The scan may trace its body more than once within one trace of the program.
    once = len(traces)
    assert once > 0
    run(*train_and_evaluate, num_epochs=5)
    assert len(traces) == once


def test_an_epoch_traces_once_for_other_numbers_data_and_epochs():
    traces = []

    def loss_fn(*arguments):
        traces.append(None)
        return NETWORK.loss_fn(*arguments)

    train, _ = functions(loss_fn)
    advance, state = jax.jit(train.advance), jax.jit(train.start)(jax.random.key(0), HYPERPARAMS)
    data, counts = jax.tree.map(jnp.asarray, dataset()), []
    for epoch in range(3):
        numbers = Hyperparams(jnp.float32(0.1 / (1 + epoch)), dropout=jnp.float32(0.1 * epoch))
        state, _ = advance(state, numbers, data, jnp.int32(epoch), jax.random.key(epoch))
        data = data._replace(inputs=2 * data.inputs)
        counts.append(len(traces))
    assert counts[0] > 0
    assert len(set(counts)) == 1


@pytest.mark.parametrize("population", [False, True])
def test_a_run_copies_nothing_to_the_device_unasked(population):
    keys = seed_keys([0, 1]) if population else (jax.random.key(0), jax.random.key(1))
    train_and_evaluate = vmap_runs(*functions(), "key", "data_key") if population else functions()
    with jax.transfer_guard_host_to_device("disallow"):
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            jnp.sin(np.ones(2))
        result = run(*train_and_evaluate, num_epochs=2, keys=keys)
    assert result.history["train_loss"].shape[-1] == 2


def test_the_state_is_donated():
    train, evaluate = functions()
    key, data = jax.random.key(0), jax.tree.map(jnp.asarray, dataset())
    state = make_init(train)(key, HYPERPARAMS)
    advance = make_epochs(train, evaluate, EarlyStopping("accuracy", True))
    new, _ = advance(state, HYPERPARAMS, data, data, jnp.int32(0), jnp.int32(2), key)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((state.train.params, state.best.params)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((new, data)))


def equations(jaxpr) -> Iterator:
    """Of a program and of every program inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in jax.tree.leaves(
            tuple(equation.params.values()), is_leaf=lambda node: hasattr(node, "eqns")
        ):
            if hasattr(parameter, "eqns"):
                yield from equations(getattr(parameter, "jaxpr", parameter))


def gathered_shapes(order_axis):
    """The shapes of the batches that three members take out of the inputs."""
    train, _ = functions()
    axes = (0, None, None, None, order_axis)
    keys = jax.random.split(jax.random.key(0), 3)
    data_key = keys if order_axis == 0 else keys[0]
    state = jax.vmap(train.start, in_axes=(0, None))(keys, HYPERPARAMS)
    arguments = state, HYPERPARAMS, jax.tree.map(jnp.asarray, dataset()), jnp.int32(0), data_key
    program = jax.make_jaxpr(jax.vmap(train.advance, in_axes=axes))(*arguments)
    return {
        equation.outvars[0].aval.shape
        for equation in equations(program.jaxpr)
        if equation.primitive.name == "gather" and equation.invars[0].aval.shape == (NUM_EXAMPLES, NUM_INPUTS)
    }


def test_members_that_share_an_order_share_each_batch():
    assert gathered_shapes(order_axis=None) == {(4, NUM_INPUTS)}
    assert gathered_shapes(order_axis=0) == {(3, 4, NUM_INPUTS)}
