"""Is backpropagation nothing but the chain rule? Written out by hand and compared weight by weight.

    python -m experiments.backprop

trains ReLU networks for three heads (images, diabetes, breast cancer) with plain SGD, 5 seeds of each as one
program. Before and after, the gradient of a batch is taken three times: by hand, by jax.grad and as the slope
between two nearby values of the loss. Then the networks take one step on one image. runs/backprop holds
the record and pictures: to how many digits the gradients agree, the error signal in each layer through
training, and what the step leaves of the image in a neuron's weights.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from experiments.command_line import main
from experiments.receipt import ImageConfig, begin, finish, load, seeds
from jaxmlp import checks
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, layer_sizes, standardize
from jaxmlp.nn import heads, metrics
from jaxmlp.nn.network import Network, make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.plots import charts
from jaxmlp.plots.images import image_grid
from jaxmlp.train import optimizers, population
from jaxmlp.train.snapshots import parameter_snapshots
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams, InputError, Layer, Params

STATES = ("untrained", "trained")
WITNESSES = {
    "jax.grad": "agreeing_digits",
    "jax.grad in float32": "agreeing_digits_float32",
    "finite differences": "agreeing_digits_finite_differences",
}
# So small that hardly a neuron switches on or off within it, where ReLU gives the loss a corner.
STEP, NUM_PLACES = 1e-7, 200
SGD = optimizers.make_optimizer("sgd")
UNCHANGED = Affine(np.zeros((), np.float32), np.ones((), np.float32))
OUTPUT_ERRORS: dict[str, Callable] = {
    "regression": lambda z, targets: 2 * (z - targets.reshape(z.shape)) / z.shape[1],
    "binary": lambda z, labels: jax.nn.sigmoid(z) - labels[:, None],
    "multiclass": lambda z, labels: jax.nn.softmax(z) - jax.nn.one_hot(labels, z.shape[1]),
}


@dataclass(frozen=True)
class Config(ImageConfig):
    dataset: str = "digits"
    hidden_sizes: tuple[int, ...] = (60, 30, 20)
    """Neurons in each hidden layer."""
    learning_rate: float = 0.05
    """Step size of plain SGD."""
    num_epochs: int = 30
    """Passes through the training data."""
    batch_size: int = 32
    """Examples per step, and in the batch whose gradient is compared."""


class Case(NamedTuple):
    """A head, a batch of its data, and its networks through training [seeds, epochs + 1, ...]."""

    head: str
    network: Network
    batch: Dataset
    path: Params
    seconds: float


def run(config: Config) -> None:
    """Train, compare the gradients, take the step, record, draw and tell."""
    checks.each("hidden_sizes", config.hidden_sizes, checks.integer)
    for name in ("num_epochs", "batch_size"):
        checks.integer(name, getattr(config, name))
    checks.positive("learning_rate", config.learning_rate)
    receipt = begin(config)
    images = load(config)
    if config.smoke:
        config = replace(config, num_epochs=2, hidden_sizes=config.hidden_sizes[:2])
    if images.task != "multiclass" or images.train.inputs.ndim < 3:
        raise InputError(f"dataset: must be images of three or more classes, got {config.dataset!r}")
    tables = [sources.load_dataset(name) for name in ("diabetes", "breast_cancer")]
    # The smallest first: a batch that is too large for it is refused before anything is trained.
    cases = [train(config, splits) for splits in (*tables, images)]
    agreement = {case.head: compare(case) for case in cases}
    signals, step = error_signals(cases[-1]), one_step(cases[-1], config.learning_rate)
    measured = measures(agreement, signals, step)
    traces = traces_of(np.asarray(images.train.inputs[0]), step)
    finish(
        receipt,
        config,
        dataset=", ".join([config.dataset, "diabetes", "breast_cancer"]),
        metrics=measured,
        tables={"agreeing_digits": agreement, "error_signals": signals, "one_step": traces},
        seconds={"train": sum(case.seconds for case in cases)},
        notes={"finite_difference_step": STEP, "finite_difference_weights": NUM_PLACES},
    )
    draw(receipt.folder, agreement, signals, traces)
    tell({name: values.min() for name, (values, _) in measured.items()})


def train(config: Config, splits: Splits) -> Case:
    """All seeds of one head as one program, and their parameters after every epoch."""
    data = standardize(splits).train
    network = make_network(layer_sizes(splits, config.hidden_sizes), heads.HEADS[splits.task], UNCHANGED)
    run_of_one = make_train(network.init_fn, network.loss_fn, SGD, config.batch_size)
    runs, _ = population.vmap_runs(
        run_of_one, make_evaluate(network.predict_fn, metrics.METRICS[splits.task]), "key", "data_key"
    )
    key, data_key = population.seed_keys(seeds(config))
    options: dict[str, Any] = {"key": key, "data_key": data_key}
    options["hyperparams"] = Hyperparams(config.learning_rate)
    began = time.perf_counter()
    path = jax.device_get(list(parameter_snapshots(runs, [data] * config.num_epochs, **options)))
    batch = jax.tree.map(lambda values: values[: config.batch_size], data)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *path)
    return Case(splits.task, network, batch, stacked, time.perf_counter() - began)


def chain_rule(head: str, params: Params, batch: Dataset) -> tuple[Params, list[jax.Array]]:
    """The gradient of the mean loss, and the error signals δ of each layer's neurons, [examples, neurons].

    Forwards, a layer makes z = a W + b of what comes in, a, and max(z, 0) goes on. Backwards, δ is how fast
    an example's loss rises with z: the error at the output, and below it δ Wᵀ of the layer above, or 0 where
    the neuron is off. A weight's gradient is the mean of its a times its δ, a bias's the mean of its δ.
    """
    incoming, sums = [batch.inputs], []
    for layer in params:
        sums.append(incoming[-1] @ layer.weight + layer.bias[None])
        incoming.append(jnp.maximum(sums[-1], 0))
    deltas = [OUTPUT_ERRORS[head](sums[-1], batch.targets)]
    for layer, z in zip(params[:0:-1], sums[-2::-1], strict=True):
        deltas.insert(0, deltas[0] @ layer.weight.T * (z > 0))
    pairs = zip(incoming[:-1], deltas, strict=True)
    return tuple(Layer(a.T @ delta / len(a), delta.mean(axis=0)) for a, delta in pairs), deltas


def compare(case: Case) -> dict[str, np.ndarray]:
    """To how many decimal digits each witness and the gradient by hand agree, [seeds, states]: the largest
    difference of a weight, in units of the largest gradient. At most 17."""

    def loss(params: Params) -> jax.Array:
        one = jax.vmap(lambda *example: case.network.loss_fn(params, (), example, None, Hyperparams())[0])
        return jnp.mean(one(case.batch.inputs, case.batch.targets))

    def agreeing_digits(params: Params) -> list[jax.Array]:
        hand = ravel_pytree(chain_rule(case.head, params, case.batch)[0])[0]
        grads = ravel_pytree(jax.grad(loss)(params))[0]
        differences = [hand - grads]
        if grads.dtype == jnp.float64:  # in float32 the small step would be lost
            places = np.random.default_rng(0).integers(grads.size, size=NUM_PLACES)
            differences.append(hand[places] - slopes(loss, params, places))
        worst = jnp.stack([jnp.max(jnp.abs(values)) for values in differences]) / jnp.max(jnp.abs(grads))
        return list(-jnp.log10(jnp.maximum(worst, 1e-17)))

    (single,) = over_networks(agreeing_digits, ends(case.path))
    with jax.enable_x64(True):
        double, finite = over_networks(agreeing_digits, ends(case.path))
    return dict(zip(WITNESSES, (double, single, finite), strict=True))


def slopes(loss: Callable[[Params], jax.Array], params: Params, places: np.ndarray) -> jax.Array:
    """The central differences of the loss at some places in the flattened params."""
    flat, unravel = ravel_pytree(params)

    def slope(place: jax.Array) -> jax.Array:
        values = jax.vmap(lambda step: loss(unravel(flat.at[place].add(step))))(jnp.array([-STEP, STEP]))
        return (values[1] - values[0]) / (2 * STEP)

    return jax.lax.map(slope, jnp.asarray(places))


def error_signals(case: Case) -> dict[str, dict[str, np.ndarray]]:
    """The mean |δ| of each layer's neurons [seeds, epochs + 1], for the first example and for the batch."""

    def sizes(params: Params) -> list[jax.Array]:
        deltas = chain_rule(case.head, params, case.batch)[1]
        return [jnp.abs(delta[:count]).mean() for count in (1, None) for delta in deltas]

    layers = [*(f"hidden layer {number}" for number in range(1, len(case.path))), "output layer"]
    found = over_networks(sizes, case.path)
    titles = "one image", f"mean of {len(case.batch.inputs)} images"
    halves = found[: len(layers)], found[len(layers) :]
    return {title: dict(zip(layers, half, strict=True)) for title, half in zip(titles, halves, strict=True)}


def one_step(case: Case, learning_rate: float) -> dict[str, np.ndarray]:
    """What plain SGD on the first example does to the first layer's neurons [seeds, states, neurons, ...]."""
    example, hyperparams = jax.tree.map(lambda values: values[:1], case.batch), Hyperparams(learning_rate)
    trainer = make_train(case.network.init_fn, case.network.loss_fn, SGD, batch_size=1)

    def step(params: Params) -> dict[str, jax.Array]:
        key = jax.random.key(0)
        state = trainer.start(key, hyperparams)._replace(params=params)
        state, _ = trainer.advance(state, hyperparams, example, jnp.asarray(0), key)
        before, after = params[0].weight.T, state.params[0].weight.T
        delta = chain_rule(case.head, params, example)[1][0][0]
        weights = {"delta": delta, "before": before, "after": after}
        return weights | law(delta, after - before, example.inputs[0])

    with jax.enable_x64(True):
        return over_networks(step, ends(case.path))


def law(delta: jax.Array, change: jax.Array, image: np.ndarray) -> dict[str, jax.Array]:
    """Pearson's r of each neuron's change with the image; and whether the change is a multiple of the image
    against the sign of δ, or nothing where δ is 0."""
    rows, pixels = change - change.mean(axis=1, keepdims=True), (image - image.mean()).astype(change.dtype)
    norms = jnp.linalg.norm(rows, axis=1) * jnp.linalg.norm(pixels)
    r = rows @ pixels / jnp.where(norms > 0, norms, 1)
    obeys = jnp.where(delta == 0, jnp.all(change == 0, axis=1), r * jnp.sign(delta) < 1e-9 - 1)
    return {"correlation": r, "obeys": obeys}


def ends(path: Params) -> Params:
    """The untrained and the trained networks [seeds, states, ...], in the precision at hand."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[:, [0, -1]], float), path)


def over_networks(function: Callable[[Params], Any], params: Params) -> Any:
    """What ``function`` gives for every network [seeds, moments, ...], as one program."""
    return jax.device_get(jax.jit(jax.vmap(jax.vmap(function)))(params))


def measures(agreement: dict, signals: dict, step: dict) -> dict[str, tuple[np.ndarray, str]]:
    """What the record says, one value per seed."""
    on, size = step["delta"] != 0, np.abs(step["correlation"])
    output = list(list(signals.values())[-1].values())[-1]
    worst = {w: np.min([by[w] for by in agreement.values()], axis=(0, 2)) for w in WITNESSES}
    return {
        **{metric: (worst[w], "digits") for w, metric in WITNESSES.items()},
        "smallest_correlation": (np.where(on, size, 1).min(axis=(1, 2)), "1"),
        "neurons_that_obey": (step["obeys"].mean(axis=(1, 2)), "fraction"),
        **{f"{state}_neurons_on": (on[:, i].mean(axis=1), "fraction") for i, state in enumerate(STATES)},
        "error_left": (output[:, -1] / output[:, 0], "fraction"),
    }


def traces_of(image: np.ndarray, step: dict[str, np.ndarray]) -> dict[str, Any]:
    """Pictures of three neurons of the first untrained network: of the largest, least and faintest δ."""
    titles, images = [], []
    first = {name: values[0, 0] for name, values in step.items()}
    for n in (first["delta"].argmax(), first["delta"].argmin(), np.abs(first["delta"]).argmin()):
        delta, before, after, r = (first[name][n] for name in ("delta", "before", "after", "correlation"))
        titles += [
            "the image",
            f"× δ = {delta:+.2g}",
            f"neuron {n} before",
            "and after",
            f"change, r = {r:+.3f}",
        ]
        images += [image, delta * image, *(w.reshape(image.shape) for w in (before, after, after - before))]
    return {"titles": titles, "images": np.stack(images)}


def draw(folder: Path, agreement: dict, signals: dict, traces: dict) -> None:
    """The agreement of the gradients, the error signals, and the step."""
    charts.point_plot(
        {
            state: {f"{w}: {head}": by[w][:, i] for w in WITNESSES for head, by in agreement.items()}
            for i, state in enumerate(STATES)
        },
        folder / "agreement.png",
        xlabel="decimal digits that agree, of the worst weight",
        title="The gradient by hand, set against three witnesses",
    )
    charts.line_plot(
        {
            title: {name: (np.arange(v.shape[1]), v) for name, v in of.items()}
            for title, of in signals.items()
        },
        folder / "error_signals.png",
        xlabel="epochs of training",
        ylabel="error signal: mean |δ| of a neuron",
        log_y=True,
        title="How much of the error reaches each layer",
    )
    title = "One step on one image, in three neurons\n(red above 0, blue below, each on its own scale)"
    path = folder / "one_step.png"
    image_grid(traces["images"], traces["titles"], path, signed=True, columns=5, title=title)


def tell(worst: dict[str, float]) -> None:
    """The answer in words."""
    exact, single, finite = (worst[name] for name in WITNESSES.values())
    print(
        f"The gradients by hand and by jax.grad {'agree' if exact >= 6 else 'do not agree'} to 1e-6: in the "
        f"worst network to {exact:.1f} digits, and to {single:.1f} in float32. With finite differences of "
        f"step {STEP:g} they agree to {finite:.1f} digits.\n"
        f"One step on one image: of {100 * worst['neurons_that_obey']:.1f} % of the neurons, the weights "
        "changed by a multiple of the image against their error signal, or not at all where that was 0."
    )


if __name__ == "__main__":
    main(Config, run)
