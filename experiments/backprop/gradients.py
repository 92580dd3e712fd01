"""The chain rule written out, the witnesses that it is set against, and the law of one step."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxmlp import Affine, Network, fit_mlp, make_network, make_train
from jaxmlp.data.splits import Splits, layer_sizes, standardize
from jaxmlp.types import Dataset, Hyperparams, Layer, Params

if TYPE_CHECKING:
    from experiments.backprop.__main__ import Config

STATES = ("untrained", "trained")
WITNESSES = {
    "jax.grad": "agreeing_digits",
    "jax.grad in float32": "agreeing_digits_float32",
    "finite differences": "agreeing_digits_finite_differences",
}
# So small that hardly a neuron switches on or off within it, where ReLU gives the loss a corner.
STEP, NUM_PLACES = 1e-7, 200
UNCHANGED = Affine(np.zeros((), np.float32), np.ones((), np.float32))
OUTPUT_ERRORS: dict[str, Callable] = {
    "regression": lambda z, targets: 2 * (z - targets.reshape(z.shape)) / z.shape[1],
    "binary": lambda z, labels: jax.nn.sigmoid(z) - labels[:, None],
    "multiclass": lambda z, labels: jax.nn.softmax(z) - jax.nn.one_hot(labels, z.shape[1]),
}


class Case(NamedTuple):
    """A head, a batch of its data, and its networks through training [seeds, epochs + 1, ...]."""

    head: str
    network: Network
    batch: Dataset
    path: Params
    seconds: Mapping[str, float]


def train(config: "Config", splits: Splits) -> Case:
    """All seeds of one head as one program, and their parameters after every epoch."""
    shared = "hidden_sizes", "learning_rate", "batch_size", "num_epochs", "seed", "num_seeds", "progress"
    options = {name: getattr(config, name) for name in shared}
    # So many snapshots that every epoch is among them.
    run = fit_mlp(splits, optimizer="sgd", num_snapshots=10 * config.num_epochs, **options).run
    network = make_network(layer_sizes(splits, config.hidden_sizes), splits.task, UNCHANGED)
    batch = jax.tree.map(lambda values: values[: config.batch_size], standardize(splits).train)
    path = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *run.snapshots.values())
    return Case(splits.task, network, batch, path, run.seconds)


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
    trainer = make_train(case.network.init_fn, case.network.loss_fn, "sgd", batch_size=1)

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
