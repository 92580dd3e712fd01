"""Does a network without activations collapse into one linear function?

    python -m experiments.linear_collapse

trains three kinds of network, on images and on two half moons that no line can part: no hidden layer (which
is logistic regression), three hidden layers without activation, and the same three with ReLU. All seeds at
all learning rates of a kind are one program, and the rate is chosen on validation data. The product of the
layers' matrices is compared with the network's output, and test accuracy with scikit-learn's logistic
regression. runs/linear_collapse then holds the record and pictures of accuracy, decisions and training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

import jaxmlp
from experiments.command_line import main
from experiments.receipt import SMOKE_EXAMPLES, ImageConfig, begin, finish, load, seeds
from jaxmlp import checks, statistics
from jaxmlp.data.splits import Splits, first_examples, from_arrays, layer_sizes
from jaxmlp.nn import heads, metrics
from jaxmlp.plots import charts
from jaxmlp.types import AnyArray, Hyperparams, Layer, Numbers, Params

LABELS = {"shallow": "no hidden layer", "deep_linear": "deep, no activation", "relu": "deep, ReLU"}
FRAME = (-1.8, 2.8, -1.4, 1.9)
SHOWN = 300


@dataclass(frozen=True)
class Config(ImageConfig):
    num_seeds: int = 10
    hidden_sizes: tuple[int, ...] = (64, 64, 64)
    """Neurons in each hidden layer; fewer than there are classes could not hold every linear function."""
    learning_rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    """Learning rates to try, of plain stochastic gradient descent."""
    num_epochs: int = 30
    """Passes through the training data."""
    batch_size: int = 128
    """Examples per step."""


class Kind(NamedTuple):
    """Networks of one kind: ``loss`` [seeds, rates, epochs], the rest [seeds, …] at the rate ``chosen``."""

    network: jaxmlp.Network
    loss: np.ndarray
    chosen: int
    params: Params
    test: np.ndarray
    seconds: dict[str, float]


def run(config: Config) -> None:
    """Train every kind on both problems, record, draw and say what was seen."""
    check(config)
    receipt = begin(config)
    problems = {"images": load(config), "plane": half_moons(config)}
    for splits in problems.values():
        checks.dataset_shapes(splits.train, config.batch_size)
    found = {name: {kind: train(config, problems[name], kind) for kind in LABELS} for name in problems}
    measured = {
        f"{p}_{name}": v for p in found for name, v in measures(config, problems[p], found[p]).items()
    }
    curves = {name: loss_curves(config, kinds) for name, kinds in found.items()}
    maps = {label: probability_map(found["plane"][kind]) for kind, label in LABELS.items()}
    seconds = [tuned.seconds for kinds in found.values() for tuned in kinds.values()]
    finish(
        receipt,
        config,
        dataset=config.dataset,
        metrics=measured,
        curves={f"{name}: {line}": rows for name in curves for line, rows in curves[name].items()},
        tables={"plane": maps, "frame": FRAME, "test": first_examples(problems["plane"], SHOWN).test},
        seconds={key: sum(one[key] for one in seconds) for key in ("compile", "train")},
    )
    draw(receipt.folder, problems, measured, curves, maps)
    for name, (values, unit) in measured.items():
        if "_minus_" in name:
            print(f"{name.replace('_', ' ')}: {statistics.verdict(values, unit)}")
        elif "product_error" in name:
            largest = statistics.format_mean(float(np.max(values)), None, unit)
            print(f"{name.replace('_', ' ')}: at most {largest}")


def check(config: Config) -> None:
    """InputError for a flag that breaks a rule."""
    checks.each("hidden_sizes", config.hidden_sizes, checks.integer)
    checks.each("learning_rates", config.learning_rates, checks.positive)
    for name in ("num_epochs", "batch_size"):
        checks.integer(name, getattr(config, name))


def half_moons(config: Config) -> Splits:
    """Two classes in the plane, each bent around the other's end."""
    inputs, targets = make_moons(10_000, noise=0.15, random_state=config.seed)
    splits = from_arrays(inputs, targets, name="half moons", test_fraction=0.4)
    return first_examples(splits, SMOKE_EXAMPLES) if config.smoke else splits


def train(config: Config, splits: Splits, name: str) -> Kind:
    """All seeds at all learning rates as one program; then the rate with the best validation accuracy."""
    print(f"{splits.name}: {LABELS[name]}", flush=True)
    sizes = layer_sizes(splits, () if name == "shallow" else config.hidden_sizes)
    activation = jax.nn.relu if name == "relu" else jax.nn.identity
    affine = jaxmlp.fit_affine(splits.train.inputs)
    network = jaxmlp.make_network(sizes, heads.HEADS[splits.task], affine, activation=activation)
    tuned = jaxmlp.tune(
        *(network, jaxmlp.make_optimizer("sgd"), splits.train, splits.validation),
        seeds=seeds(config),
        hyperparams=jaxmlp.grid(Hyperparams(), learning_rate=config.learning_rates),
        metrics=metrics.CLASSIFICATION,
        batch_size=config.batch_size,
        num_epochs=2 if config.smoke else config.num_epochs,
        progress=config.progress,
    )
    test = np.asarray(tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"])
    loss = tuned.fit.history["train_loss"]
    return Kind(network, loss, tuned.setting, tuned.params, test, tuned.fit.seconds)


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
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), kind.params)
        return np.asarray(jax.jit(jax.vmap(error, in_axes=(0, None)))(params, inputs))


def logistic_regression(splits: Splits) -> np.ndarray:
    """The test accuracy of scikit-learn's, on inputs between -1 and 1, with its default penalty."""
    largest = np.abs(splits.train.inputs.astype(np.float32)).max()
    train, test = (p.inputs.reshape(len(p.inputs), -1) / largest for p in (splits.train, splits.test))
    model = LogisticRegression(max_iter=1000).fit(train, splits.train.targets)
    return np.array([model.score(test, splits.test.targets)])


def loss_curves(config: Config, kinds: Mapping[str, Kind]) -> dict[str, np.ndarray]:
    """Training loss [seeds, epochs] of both linear kinds, at the smallest rate and each at its best."""
    rates = config.learning_rates
    smallest = int(np.argmin(rates))
    return {
        f"{LABELS[kind]}, {name}": kinds[kind].loss[:, rate]
        for kind in ("deep_linear", "shallow")
        for name, rate in ((f"rate {rates[smallest]:g}", smallest), ("its best rate", kinds[kind].chosen))
    }


def measures(config: Config, splits: Splits, kinds: Mapping[str, Kind]) -> dict[str, tuple[Numbers, str]]:
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
        **{f"{kind}_test_accuracy": (tuned.test, "fraction") for kind, tuned in kinds.items()},
        **{f"{kind}_learning_rate": (rates[tuned.chosen], "1") for kind, tuned in kinds.items()},
    }


def probability_map(kind: Kind) -> np.ndarray:
    """The probability of class 1 that the first seed's network gives to each point of FRAME."""
    x, y = np.meshgrid(np.linspace(*FRAME[:2], 60), np.linspace(*FRAME[2:], 60))
    params = jax.tree.map(lambda leaf: leaf[0], kind.params)
    predict = jax.jit(jax.vmap(partial(kind.network.predict_fn, params, ())))
    logits = predict(np.stack([x.ravel(), y.ravel()], axis=1))
    return np.round(np.asarray(jax.nn.sigmoid(logits), float).reshape(x.shape), 3)


def draw(
    folder: Path,
    problems: Mapping[str, Splits],
    measured: Mapping[str, tuple[Numbers, str]],
    curves: Mapping[str, Mapping[str, np.ndarray]],
    maps: Mapping[str, np.ndarray],
) -> None:
    """Test accuracies, the training curves, and the decisions in the plane."""
    rows = LABELS | {"scikit_learn": "scikit-learn's logistic regression"}
    dots, lines = {}, {}
    for name, splits in problems.items():
        dots[splits.name] = {label: measured[f"{name}_{row}_test_accuracy"][0] for row, label in rows.items()}
        lines[splits.name] = {k: (np.arange(1, 1 + v.shape[1]), v) for k, v in curves[name].items()}
    bars = "Each kind of network at its best learning rate: seeds, their mean and its 95 % interval"
    charts.point_plot(dots, folder / "accuracy.png", xlabel="test accuracy", percent=True, title=bars)
    charts.line_plot(lines, folder / "curves.png", xlabel="epoch", ylabel="training loss (nats)")
    moons = first_examples(problems["plane"], SHOWN).test
    options: dict[str, Any] = {"boundary": 0.5, "xlabel": "x", "ylabel": "y"}
    options |= {"points": moons[:2], "colour_label": "probability of the red class"}
    title = "What one network of each kind says of every point; dots are test examples"
    charts.heatmap(maps, FRAME, folder / "plane.png", title=title, **options)


if __name__ == "__main__":
    main(Config, run)
