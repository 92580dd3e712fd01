"""Every example is seen exactly once per epoch, in an order that only the key and the epoch decide."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from jaxmlp.train import batching

KEY = jax.random.key(0)
few = settings(max_examples=15, deadline=None, derandomize=True, database=None)


def order(num_examples: int, epoch: int = 0, key=KEY) -> np.ndarray:
    return np.asarray(batching.epoch_order(key, jnp.int32(epoch), num_examples))


@few
@given(num_examples=st.integers(1, 2000), epoch=st.integers(0, 10_000), seed=st.integers(0, 2**31 - 1))
def test_an_order_is_a_permutation(num_examples, epoch, seed):
    found = order(num_examples, epoch, jax.random.key(seed))
    np.testing.assert_array_equal(np.sort(found), np.arange(num_examples))


def test_epochs_and_keys_have_their_own_order():
    orders = [order(200, epoch, jax.random.key(seed)) for epoch in range(3) for seed in range(3)]
    # Two random orders agree on one example in expectation, and on ten almost never.
    agreements = [np.sum(a == b) for i, a in enumerate(orders) for b in orders[:i]]
    assert max(agreements) < 10


def test_the_same_key_and_epoch_give_the_same_order():
    np.testing.assert_array_equal(order(200, 3), order(200, 3))


def test_jit_and_vmap_give_the_same_orders():
    keys = jax.random.split(KEY, 3)
    orders = jax.jit(jax.vmap(lambda key: batching.epoch_order(key, jnp.int32(4), 50)))(keys)
    np.testing.assert_array_equal(orders, [order(50, 4, key) for key in keys])


def test_every_place_is_as_likely():
    orders = jax.vmap(lambda key: batching.epoch_order(key, jnp.int32(0), 10))(jax.random.split(KEY, 4000))
    places = np.argmin(orders, axis=1)
    assert chisquare(np.bincount(places, minlength=10)).pvalue > 1e-3


def test_every_order_is_as_likely_over_the_epochs():
    orders = jax.vmap(lambda epoch: batching.epoch_order(KEY, epoch, 4))(jnp.arange(4800))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > 1e-3


@few
@given(num_examples=st.integers(1, 60), batch_size=st.integers(1, 70), weighted=st.booleans())
def test_a_cut_keeps_every_example_and_its_weight_once(num_examples, batch_size, weighted):
    weights = np.linspace(0.5, 1.5, num_examples, dtype=np.float32) if weighted else None
    shuffled = np.random.default_rng(num_examples).permutation(num_examples)
    indices, found = batching.make_batches(jnp.asarray(shuffled), weights, batch_size)
    steps = int(np.ceil(num_examples / batch_size))
    assert indices.shape == found.shape == (steps, batch_size)
    assert batching.num_batches(num_examples, batch_size) == steps
    real, padding = np.split(np.ravel(indices), [num_examples])
    np.testing.assert_array_equal(real, shuffled)
    assert not padding.any()
    expected = np.ones(num_examples) if weights is None else weights[shuffled]
    np.testing.assert_array_equal(np.ravel(found), np.append(expected, np.zeros(len(padding))))


def test_a_cut_by_hand():
    weights = np.array([0.2, 0.4, 0.6, 0.8, 3.0], np.float32)
    batches = batching.make_batches(jnp.array([4, 1, 3, 0, 2]), weights, 2)
    np.testing.assert_array_equal(batches.indices, [[4, 1], [3, 0], [2, 0]])
    np.testing.assert_array_equal(
        batches.weights, weights[[[4, 1], [3, 0], [2, 0]]] * [[1, 1], [1, 1], [1, 0]]
    )


def test_no_dtype_is_hard_coded():
    with jax.enable_x64(True):
        assert batching.make_batches(jnp.arange(3), None, 2).weights.dtype == "float64"
