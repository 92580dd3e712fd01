"""Three kinds of network in training, and the one layer that several without activation are."""

from collections.abc import Mapping
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LogisticRegression

import jaxmlp
from experiments.harness.answers import Measures
from experiments.harness.training import all_rates, make_network
from jaxmlp.data.splits import Splits
from jaxmlp.types import AnyArray, Layer, Params

if TYPE_CHECKING:
    from experiments.linear_collapse.__main__ import Config

LABELS = {"shallow": "no hidden layer", "deep_linear": "deep, no activation", "relu": "deep, ReLU"}
FRAME = (-1.8, 2.8, -1.4, 1.9)


class Kind(NamedTuple):
    """Networks of one kind at all rates, those of the best one, and the test accuracy of each of these."""

    network: jaxmlp.Network
    tuned: jaxmlp.TuneResult
    test: np.ndarray


def train(config: "Config", splits: Splits, name: str) -> Kind:
    """All seeds at all learning rates as one program; then the rate with the best validation accuracy."""
    print(f"{splits.name}: {LABELS[name]}", flush=True)
    hidden_sizes = () if name == "shallow" else config.hidden_sizes
    network = make_network(splits, hidden_sizes, jax.nn.relu if name == "relu" else jax.nn.identity)
    options = all_rates(config, config.learning_rates)
    tuned = jaxmlp.tune(network, "sgd", splits.train, splits.validation, **options)
    tested = tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"]
    return Kind(network, tuned, np.asarray(tested))


def collapse(params: Params) -> Params:
    """The one layer that equals all of them without activations: x W₁ W₂ + (b₁ W₂ + b₂), and so on."""
    return (reduce(lambda a, b: Layer(a.weight @ b.weight, a.bias @ b.weight + b.bias), params),)


def product_error(kind: Kind, inputs: AnyArray, dtype: Any = np.float32) -> np.ndarray:
    """For each seed the largest difference between the outputs of the network and of its collapsed layers,
    relative to the outputs' root mean square, in the precision's ε."""
    predict = jax.vmap(kind.network.predict_fn, in_axes=(None, None, 0))

    def error(params: Params, inputs: jax.Array) -> jax.Array:
        outputs = predict(params, (), inputs)
        gap = jnp.max(jnp.abs(outputs - predict(collapse(params), (), inputs)))
        return gap / jnp.sqrt(jnp.mean(outputs**2)) / jnp.finfo(dtype).eps

    # Some accelerators multiply in less than float32 unless asked.
    with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), kind.tuned.params)
        return np.asarray(jax.jit(jax.vmap(error, in_axes=(0, None)))(params, inputs))


def logistic_regression(splits: Splits) -> np.ndarray:
    """The test accuracy of scikit-learn's, on inputs between -1 and 1, with its default penalty."""
    largest = np.abs(splits.train.inputs.astype(np.float32)).max()
    train, test = (p.inputs.reshape(len(p.inputs), -1) / largest for p in (splits.train, splits.test))
    model = LogisticRegression(max_iter=1000).fit(train, splits.train.targets)
    return np.array([model.score(test, splits.test.targets)])


def loss_curves(config: "Config", kinds: Mapping[str, Kind]) -> dict[str, np.ndarray]:
    """Training loss [seeds, epochs] of both linear kinds, at the smallest rate and each at its best."""
    smallest, curves = int(np.argmin(config.learning_rates)), {}
    for kind in ("deep_linear", "shallow"):
        tuned, low = kinds[kind].tuned, f"rate {config.learning_rates[smallest]:g}"
        for name, rate in ((low, smallest), ("its best rate", tuned.setting)):
            curves[f"{LABELS[kind]}, {name}"] = tuned.fit.history["train_loss"][:, rate]
    return curves


def measures(config: "Config", splits: Splits, kinds: Mapping[str, Kind]) -> Measures:
    """What the record says of one problem; losses are compared in their mean over the epochs."""
    (shallow, deep, relu), inputs = kinds.values(), splits.test.inputs
    deep_same, deep_own, same, own = (c.mean(axis=1) for c in loss_curves(config, kinds).values())
    witness, rates = logistic_regression(splits), np.array(config.learning_rates)
    return {
        "product_error": (product_error(deep, inputs), "ε"),
        "product_error_double": (product_error(deep, inputs, np.float64), "ε"),
        "product_error_relu": (product_error(relu, inputs) * np.finfo(np.float32).eps, "fraction"),
        "deep_linear_minus_shallow_test_accuracy": (100 * (deep.test - shallow.test), "points"),
        "deep_linear_minus_scikit_learn_test_accuracy": (100 * (deep.test - witness), "points"),
        "relu_minus_deep_linear_test_accuracy": (100 * (relu.test - deep.test), "points"),
        "deep_linear_minus_shallow_loss_same_rate": (deep_same - same, "nats"),
        "deep_linear_minus_shallow_loss_own_rates": (deep_own - own, "nats"),
        "scikit_learn_test_accuracy": (witness, "fraction"),
        **{f"{name}_test_accuracy": (kind.test, "fraction") for name, kind in kinds.items()},
        **{f"{name}_learning_rate": (rates[kind.tuned.setting], "1") for name, kind in kinds.items()},
    }


def probability_map(kind: Kind) -> np.ndarray:
    """The probability of class 1 that the first seed's network gives to each point of FRAME."""
    x, y = np.meshgrid(np.linspace(*FRAME[:2], 60), np.linspace(*FRAME[2:], 60))
    params = jax.tree.map(lambda leaf: leaf[0], kind.tuned.params)
    predict = jax.jit(jax.vmap(partial(kind.network.predict_fn, params, ())))
    logits = predict(np.stack([x.ravel(), y.ravel()], axis=1))
    return np.round(np.asarray(jax.nn.sigmoid(logits), float).reshape(x.shape), 3)
