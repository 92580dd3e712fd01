"""A training step against numbers worked by hand, and whole runs against NumPy, optax and scikit-learn."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from jaxmlp.nn import heads, mlp
from jaxmlp.nn.metrics import CLASSIFICATION, log_probabilities
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.train import batching
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams, InputError

KEY, DATA_KEY = jax.random.split(jax.random.key(0))


def make_quadratic(start=0.0):
    """One parameter, whose loss is half the square of its distance to the example."""

    def loss_fn(params, model_state, example, key, hyperparams):
        x, _ = example
        return jnp.square(params - x) / 2, model_state

    return lambda key, hyperparams: (jnp.asarray(start), ()), loss_fn


def scalars(*values, weights=None):
    inputs = jnp.array(values)
    return Dataset(inputs, jnp.zeros_like(inputs), None if weights is None else jnp.array(weights))


def run(train, dataset, hyperparams, num_epochs=1, key=KEY):
    """The last state and each epoch's Info."""
    advance = jax.jit(train.advance)
    state, infos = jax.jit(train.start)(key, hyperparams), []
    for epoch in range(num_epochs):
        state, info = advance(state, hyperparams, dataset, jnp.int32(epoch), DATA_KEY)
        infos.append(info)
    return state, infos


def network(sizes, head=heads.multiclass, activation=jax.nn.relu):
    return make_network(sizes, head, Affine(np.zeros(()), np.ones(())), activation=activation)


def network_train(network, optimizer, batch_size):
    return make_train(network.init_fn, network.loss_fn, make_optimizer(optimizer), batch_size)


def test_one_step_worked_by_hand():
    # Two examples, 1 and 4, from 0: the mean loss is (1 + 16) / 4, the gradient -(1 + 4) / 2.
    train = make_train(*make_quadratic(), make_optimizer("sgd"), batch_size=2)
    state, (info,) = run(train, scalars(1.0, 4.0), Hyperparams(0.1))
    assert float(info.loss) == pytest.approx(4.25)
    assert float(state.params) == pytest.approx(0.25)
    assert int(info.first_bad_step) == 1


def test_weights_scale_each_examples_pull():
    # Weights 1/2 and 3/2: the loss is (1/2 + 24) / 4, the gradient -(1/2 + 6) / 2.
    train = make_train(*make_quadratic(), make_optimizer("sgd"), batch_size=2)
    state, (info,) = run(train, scalars(1.0, 4.0, weights=[0.5, 1.5]), Hyperparams(0.1))
    assert float(info.loss) == pytest.approx(6.125)
    assert float(state.params) == pytest.approx(0.325)


def test_a_step_of_a_network_worked_by_hand():
    # 2 → 1 (relu) → 1 on x = (1, 2), target 3: hidden 1·1 + 2·½ = 2, output 2·½ = 1, loss 4 with slope -4.
    params = (
        mlp.Layer(jnp.array([[1.0], [0.5]]), jnp.zeros(1)),
        mlp.Layer(jnp.array([[0.5]]), jnp.zeros(1)),
    )
    loss_fn = network((2, 1, 1), heads.regression).loss_fn
    train = make_train(lambda key, hyperparams: (params, ()), loss_fn, make_optimizer("sgd"), batch_size=1)
    dataset = Dataset(jnp.array([[1.0, 2.0]]), jnp.array([3.0]))
    state, (info,) = run(train, dataset, Hyperparams(0.1))
    first, last = state.params
    assert float(info.loss) == pytest.approx(4.0)
    np.testing.assert_allclose(last.weight, [[0.5 + 0.1 * 4 * 2]], rtol=1e-6)
    np.testing.assert_allclose(last.bias, [0.4], rtol=1e-6)
    np.testing.assert_allclose(first.weight, [[1 + 0.1 * 4 * 0.5 * 1], [0.5 + 0.1 * 4 * 0.5 * 2]], rtol=1e-6)
    np.testing.assert_allclose(first.bias, [0.2], rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 7])
def test_each_example_counts_once_per_epoch(batch_size):
    # The loss of example i is the parameter i itself, so SGD at rate 1 counts how often each was seen.
    def pick(params, model_state, example, key, hyperparams):
        return params @ example[0], model_state

    train = make_train(lambda key, hyperparams: (jnp.zeros(7), ()), pick, make_optimizer("sgd"), batch_size)
    dataset = Dataset(jnp.eye(7), jnp.zeros(7))
    state, _ = run(train, dataset, Hyperparams(1.0), num_epochs=2)
    np.testing.assert_allclose(-batch_size * state.params, np.full(7, 2.0), rtol=1e-6)


def toy(num_examples=7, num_classes=2, dtype=np.float64):
    random = np.random.default_rng(0)
    weights = random.uniform(0.5, 1.5, num_examples)
    return Dataset(
        jnp.asarray(random.normal(size=(num_examples, 3)), dtype),
        jnp.asarray(random.integers(0, num_classes, num_examples), np.int32),
        jnp.asarray(weights / weights.mean(), dtype),
    )


def test_a_run_in_double_precision_is_an_explicit_loop_over_examples():
    """Seven examples in steps of three: the last step is one example, still divided by three."""
    with jax.enable_x64(True):
        dataset, net = toy(), network((3, 4, 2), activation=jax.nn.tanh)
        train = network_train(net, "adam", batch_size=3)
        hyperparams = Hyperparams(0.05)
        state, infos = run(train, dataset, hyperparams, num_epochs=3)

        adam, params, expected_losses = optax.adam(0.05), train.start(KEY, hyperparams).params, []
        opt_state = adam.init(params)

        @jax.jit
        def pull(params, grads, i):
            """Example i's share of the epoch's loss, and the step's gradient with its share added."""

            def weighted(params):
                example = dataset.inputs[i], dataset.targets[i]
                return dataset.weights[i] * net.loss_fn(params, (), example, None, hyperparams)[0]

            loss, grad = jax.value_and_grad(weighted)(params)
            return loss / 7, jax.tree.map(lambda total, g: total + g / 3, grads, grad)

        @jax.jit
        def move(params, opt_state, grads):
            updates, opt_state = adam.update(grads, opt_state)
            return optax.apply_updates(params, updates), opt_state

        for epoch in range(3):
            order = np.asarray(batching.epoch_order(DATA_KEY, jnp.int32(epoch), 7))
            total = 0.0
            for examples in (order[:3], order[3:6], order[6:]):
                grads = jax.tree.map(lambda leaf: np.zeros(leaf.shape), params)
                for i in examples:
                    loss, grads = pull(params, grads, i)
                    total += float(loss)
                params, opt_state = move(params, opt_state, grads)
            expected_losses.append(total)
        np.testing.assert_allclose([info.loss for info in infos], expected_losses, rtol=1e-9)
        chex.assert_trees_all_close(state.params, params, rtol=1e-9, atol=1e-12)


def test_everything_is_in_double_precision_when_asked():
    with jax.enable_x64(True):
        net, dataset = network((3, 4, 2)), toy()
        train, hyperparams = network_train(net, "adamw", 3), Hyperparams(0.1, 0.1, dropout=0.5, clip_norm=1.0)
        state = jax.eval_shape(train.start, KEY, hyperparams)
        state, info = jax.eval_shape(train.advance, state, hyperparams, dataset, jnp.int32(0), KEY)
        report = jax.eval_shape(make_evaluate(net.predict_fn, CLASSIFICATION), state.params, (), dataset)
    for tree in (state.params, state.opt_state, info, report):
        types = {leaf.dtype for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)}
        assert types == {np.dtype(np.float64)}


def test_a_golden_epoch_of_the_default():
    """Adam, relu, dropout. Adam's first step is the sign of the gradient alone, so a second one follows."""
    train = network_train(network((3, 4, 2)), "adam", batch_size=4)
    dataset = toy(8, dtype=np.float32)._replace(weights=None)
    state, (info,) = run(train, dataset, Hyperparams(0.01, dropout=0.25))
    assert float(info.loss) == pytest.approx(1.7130785, rel=1e-5)
    np.testing.assert_allclose(
        state.params[0].weight[0], [-0.50960654, 0.6941305, -0.23491736, 1.2291673], rtol=1e-5
    )
    np.testing.assert_allclose(state.params[1].bias, [-0.003825892, 0.003825892], rtol=1e-4)


def test_a_partial_last_batch_steps_as_the_same_examples_unpadded():
    # One step of batch size 3 holds two examples and padding; of batch size 2, only the two examples.
    values = scalars(1.0, 4.0, 4.0, 4.0, 1.0)
    padded, _ = run(make_train(*make_quadratic(), make_optimizer("sgd"), 3), values, Hyperparams(0.3))
    order = np.asarray(batching.epoch_order(DATA_KEY, jnp.int32(0), 5))
    x = np.asarray(values.inputs)[order]
    first = 0.3 * x[:3].mean()
    second = first - 0.3 * np.sum(first - x[3:]) / 3
    assert float(padded.params) == pytest.approx(second, rel=1e-6)


def test_model_state_is_carried_and_sees_the_batch_by_name():
    def loss_fn(params, model_state, example, key, hyperparams):
        mean = jax.lax.pmean(example[0], "batch")
        return jnp.square(params), model_state + mean

    train = make_train(
        lambda key, hyperparams: (jnp.zeros(()), jnp.zeros(())), loss_fn, make_optimizer("sgd"), 2
    )
    # Three epochs of two steps, whose means sum to half the values' sum each epoch.
    state, _ = run(train, scalars(1.0, 2.0, 4.0, 9.0), Hyperparams(0.1), num_epochs=3)
    assert float(state.model_state) == pytest.approx(3 * 16 / 2)


def test_the_first_step_that_is_not_finite_is_named():
    def loss_fn(params, model_state, example, key, hyperparams):
        return params + jnp.where(model_state >= 2, jnp.nan, 1.0), model_state + 1

    train = make_train(
        lambda key, hyperparams: (jnp.zeros(()), jnp.zeros(())), loss_fn, make_optimizer("sgd"), 1
    )
    _, (info,) = run(train, scalars(1.0, 2.0, 4.0, 9.0), Hyperparams(0.1))
    assert int(info.first_bad_step) == 2
    assert not np.isfinite(info.loss)


def linear_data(num_examples):
    random = np.random.default_rng(1)
    inputs = random.normal(size=(num_examples, 3))
    return random, inputs, inputs @ [1.0, -2.0, 0.5] + 0.3


def trained_logits(net, dataset, learning_rate, num_epochs):
    """Of full batches, by SGD."""
    train, hyperparams = network_train(net, "sgd", len(dataset.inputs)), Hyperparams(learning_rate)

    def step(state, epoch):
        return train.advance(state, hyperparams, dataset, epoch, DATA_KEY)[0], None

    state, _ = jax.jit(lambda: jax.lax.scan(step, train.start(KEY, hyperparams), jnp.arange(num_epochs)))()
    return jax.vmap(lambda x: net.predict_fn(state.params, (), x))(dataset.inputs)


def test_a_linear_network_is_least_squares():
    random, inputs, targets = linear_data(20)
    targets = targets + random.normal(size=20)
    with jax.enable_x64(True):
        dataset = Dataset(jnp.asarray(inputs), jnp.asarray(targets))
        predictions = trained_logits(network((3, 1), heads.regression), dataset, 0.1, 1000)
    expected = LinearRegression().fit(inputs, targets).predict(inputs)
    np.testing.assert_allclose(np.ravel(predictions), expected, atol=1e-4)


@pytest.mark.parametrize("head, num_outputs", [(heads.binary, 1), (heads.multiclass, 2)])
def test_a_linear_classifier_is_logistic_regression(head, num_outputs):
    random, inputs, scores = linear_data(40)
    labels = (scores + random.logistic(size=40) * 2 > 0).astype(np.int32)
    with jax.enable_x64(True):
        dataset = Dataset(jnp.asarray(inputs), jnp.asarray(labels))
        logits = trained_logits(network((3, num_outputs), head), dataset, 1.0, 4000)
        probabilities = np.asarray(jnp.exp(log_probabilities(logits)))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(inputs, labels)
    np.testing.assert_allclose(probabilities, oracle.predict_proba(inputs), atol=1e-4)


@pytest.mark.parametrize("batch_size", [0, -1, True])
def test_a_batch_has_at_least_one_example(batch_size):
    with pytest.raises(InputError, match=r"^batch_size: must be a whole number of at least 1"):
        make_train(*make_quadratic(), make_optimizer("sgd"), batch_size)


@pytest.mark.parametrize(
    "dataset, message",
    [
        (scalars(1.0), "batch_size: must be at most the 1 training examples, got 2"),
        (Dataset(jnp.zeros(0), jnp.zeros(0)), "inputs: must hold at least one example, got none"),
        (Dataset(jnp.zeros(3), jnp.zeros(2)), "targets: must be as many as the 3 inputs, got 2"),
        (scalars(1.0, 2.0, 3.0, weights=[1.0]), "weights: must be as many as the 3 inputs, got 1"),
    ],
)
def test_data_that_cannot_make_a_batch_is_refused(dataset, message):
    train = make_train(*make_quadratic(), make_optimizer("sgd"), batch_size=2)
    with pytest.raises(InputError) as error:
        run(train, dataset, Hyperparams(0.1))
    assert str(error.value) == message


def test_data_on_the_host_may_be_closed_over():
    train = make_train(*make_quadratic(), make_optimizer("sgd"), batch_size=2)
    dataset = Dataset(np.array([1.0, 4.0], np.float32), np.zeros(2, np.float32))
    advance = jax.jit(lambda state: train.advance(state, Hyperparams(0.1), dataset, jnp.int32(0), DATA_KEY))
    state, _ = advance(train.start(KEY, Hyperparams(0.1)))
    assert float(state.params) == pytest.approx(0.25)


def test_evaluate_needs_a_metric():
    with pytest.raises(InputError, match=r"^metrics: name at least one"):
        make_evaluate(lambda *arguments: None, {})


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_evaluate_measures_the_whole_set_however_it_is_cut(batch_size):
    logits = jnp.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]])
    labels = jnp.array([0, 1, 0, 0, 1])
    evaluate = make_evaluate(lambda params, model_state, x: x, CLASSIFICATION, batch_size)
    assert float(evaluate((), (), Dataset(logits, labels))["accuracy"]) == pytest.approx(0.8)


def test_evaluate_counts_examples_by_their_weights_where_a_metric_knows_them():
    logits, labels = jnp.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), jnp.array([0, 1, 0])
    own = {"own": lambda logits, labels: jnp.mean(logits), **CLASSIFICATION}
    evaluate = make_evaluate(lambda params, model_state, x: x, own)
    found = evaluate((), (), Dataset(logits, labels, np.array([1.0, 1.0, 6.0])))
    assert float(found["accuracy"]) == pytest.approx(0.25)
    assert float(found["own"]) == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"^weights: must be as many as the 3 inputs, got 2$"):
        evaluate((), (), Dataset(logits, labels, np.ones(2)))
