"""Do a network's neurons learn strokes, or static that happens to work? Sixty of them, watched as they learn.

    python -m experiments.neurons

trains 784-60-10 on MNIST, 10 seeds with AdamW's weight decay or dropout at nine rates and with neither, all
as one program, and looks at the weights into each neuron as an image. Its Moran's I, how alike neighbouring
pixels are, tells stroke from static: 0 for random weights, towards 1 for a smooth image. Only pixels that
carry ink in some training image count: the others never learn. The networks with neither then lose neurons in
several orders, on validation data; the test set is read once, with half of the neurons gone.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command_line import main
from experiments.receipt import ImageConfig, begin, finish, load, seeds
from jaxmlp import checks
from jaxmlp.data import splits as data_splits
from jaxmlp.data.splits import Splits
from jaxmlp.nn import heads, metrics, mlp
from jaxmlp.nn.network import Network, make_network
from jaxmlp.nn.preprocessing import Affine, apply_affine, fit_affine
from jaxmlp.plots import charts, lettering
from jaxmlp.plots.images import image_grid
from jaxmlp.plots.weights import neuron_animation, neuron_weights
from jaxmlp.statistics import format_mean, significant_sign, summarize
from jaxmlp.train import population
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.snapshots import parameter_snapshots
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import AnyArray, Dataset, Hyperparams, InputError, Layer, Numbers, Params

ACCURACY = {"accuracy": metrics.CLASSIFICATION["accuracy"]}
ORDERS = ("static_first", "strokes_first", "smallest_outgoing_weights_first", "random_order")
Tables = dict[str, Any]


@dataclass(frozen=True)
class Config(ImageConfig):
    num_seeds: int = 10
    num_neurons: int = 60
    """Neurons in the hidden layer."""
    weight_decay: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0)
    """AdamW's weight decays to compare with none."""
    dropout: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75)
    """Shares of neurons dropped while training, to compare with none."""
    learning_rate: float = 1e-3
    """Step size."""
    num_epochs: int = 20
    """Passes through the training data."""
    batch_size: int = 128
    """Examples per step."""


def run(config: Config) -> None:
    """Train, remove neurons, record, draw and tell."""
    for name, least in (("num_neurons", 2), ("num_epochs", 1), ("batch_size", 1)):
        checks.integer(name, getattr(config, name), at_least=least)
    for setting in settings(config).values():
        checks.hyperparams(setting)
    receipt, splits = begin(config), load(config)
    if splits.train.inputs.ndim < 3:
        raise InputError(f"dataset: must hold images, but {config.dataset} has rows of numbers")
    checks.dataset_shapes(splits.train, config.batch_size)
    layer_sizes = data_splits.layer_sizes(splits, (config.num_neurons,))
    affine = fit_affine(splits.train.inputs)
    network = make_network(layer_sizes, heads.HEADS[splits.task], affine)
    tables, networks, seconds = train(config, splits, network)
    counts, half = np.unique(np.linspace(0, config.num_neurons, 13).astype(int)), config.num_neurons // 2
    without = partial(remove, network, networks[-1], removal_scores(tables, config.seed))
    tables["removed"] = {"counts": counts, **without(counts, splits.validation)}
    tables["half_removed"] = without([0, half], splits.test)
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), networks[-1][0])
    tables["exciting"] = most_exciting(first, affine, splits.train.inputs)
    measured = measures(tables)
    finish(receipt, config, dataset=config.dataset, metrics=measured, tables=tables, seconds=seconds)
    draw_images(receipt.folder, splits, tables, networks)
    draw_charts(receipt.folder, tables)
    tell(tables["settings"], measured)


def settings(config: Config) -> dict[str, Hyperparams]:
    """The hyperparameters to compare; the first have neither weight decay nor dropout."""
    base = Hyperparams(config.learning_rate, weight_decay=0.0, dropout=0.0)
    decays = {f"weight decay {value:g}": base._replace(weight_decay=value) for value in config.weight_decay}
    return {"neither": base, **decays, **{f"dropout {v:g}": base._replace(dropout=v) for v in config.dropout}}


def train(config: Config, splits: Splits, network: Network) -> tuple[Tables, list[Params], dict[str, float]]:
    """All seeds in all settings as one program, looked at ten times in the first pass, when most happens, and
    after each pass: measures [moments, seeds, settings], the first setting's networks, seconds taken."""
    moves = make_train(network.init_fn, network.loss_fn, make_optimizer("adamw"), config.batch_size)
    evaluate = make_evaluate(network.predict_fn, ACCURACY)
    moves, evaluate = population.vmap_runs(
        *population.vmap_runs(moves, evaluate, "hyperparams"), "key", "data_key"
    )
    (inputs, targets, _), judge = splits.train, jax.jit(evaluate)
    size = max(len(inputs) // 10, config.batch_size)
    starts = range(0, len(inputs) - size + 1, size)
    parts = [Dataset(inputs[i : i + size], targets[i : i + size]) for i in starts]
    parts += parts if config.smoke else [splits.train] * (config.num_epochs - 1)
    hyperparams = jax.tree.map(lambda *values: jnp.array(values), *settings(config).values())
    clock, neurons, accuracy, networks = [time.perf_counter()], [], [], []
    key, data_key = population.seed_keys(seeds(config))
    for params in parameter_snapshots(moves, parts, key=key, data_key=data_key, hyperparams=hyperparams):
        clock.append(time.perf_counter())
        neurons.append(autocorrelation_of_neurons(params[0].weight, inputs))
        accuracy.append(np.asarray(judge(params, (), splits.validation)["accuracy"]))
        networks.append(jax.tree.map(lambda leaf: np.asarray(leaf[:, 0]), params))
        if config.progress:
            print(f"part {len(networks) - 1} of {len(parts)}: {accuracy[-1].mean():.2%} right", flush=True)
    tables = {
        "settings": list(settings(config)),
        "passes": np.cumsum([0, *(len(part.inputs) for part in parts)]) / len(inputs),
        "first_pass": len(starts),
        "autocorrelation": np.mean(neurons, axis=-1),
        "accuracy": np.stack(accuracy),
        "start": neurons[0][:, 0],
        "end": neurons[-1][:, 0],
        "outgoing_norm": np.linalg.norm(networks[-1][1].weight, axis=-1),
    }
    return tables, networks, {"compile": clock[1] - clock[0], "train": time.perf_counter() - clock[1]}


def autocorrelation_of_neurons(weight: AnyArray, images: AnyArray) -> np.ndarray:
    """Of weights [..., inputs, neurons], each neuron's, over the pixels that ever carry ink in ``images``."""
    rows = np.moveaxis(np.asarray(weight), -1, -2)
    inked = np.asarray(images).max(axis=0) > np.min(images)
    return morans_i(rows.reshape(-1, *inked.shape), inked).reshape(rows.shape[:-1])


def morans_i(images: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The autocorrelation of each of ``images`` [n, height, width, …] over the pixels ``inside``: the mean
    product of the deviations of two pixels side by side or one above the other, in units of the variance.

    Of independent values it is −1 / (number of pixels − 1) on average (Moran 1950, Biometrika 37).
    """
    values = images[:, inside].astype(float)
    deviations = np.zeros(images.shape)
    deviations[:, inside] = values - values.mean(axis=1, keepdims=True)
    num_pairs = neighbour_products(inside[None].astype(float))
    return neighbour_products(deviations) / num_pairs / values.var(axis=1)


def neighbour_products(images: np.ndarray) -> np.ndarray:
    """For each image, the sum over neighbours of one pixel times the other."""
    products = images[:, 1:] * images[:, :-1], images[:, :, 1:] * images[:, :, :-1]
    return np.sum([product.reshape(len(images), -1).sum(axis=1) for product in products], axis=0)


def removal_scores(tables: Tables, seed: int) -> np.ndarray:
    """[seeds, orders, neurons]: those of lowest score go first. The last ten orders are random."""
    strokes = tables["end"]
    fixed = np.stack([strokes, -strokes, tables["outgoing_norm"]], axis=1)
    random = np.random.default_rng(seed).random((len(strokes), 10, strokes.shape[1]))
    return np.concatenate([fixed, random], axis=1)


def remove(
    network: Network, params: Params, scores: np.ndarray, counts: Numbers, dataset: Dataset
) -> dict[str, np.ndarray]:
    """Accuracy [seeds, counts] with 0 for the outgoing weights of the neurons of lowest score [seeds, orders,
    neurons], so many as ``counts`` says; of the last, random orders the mean."""
    evaluate = make_evaluate(network.predict_fn, ACCURACY)

    def accuracy(params: Params, removed: jax.Array) -> jax.Array:
        last = params[1]._replace(weight=jnp.where(removed[:, None], 0, params[1].weight))
        return evaluate((params[0], last), (), dataset)["accuracy"]

    removed = scores.argsort(axis=-1).argsort(axis=-1)[:, :, None] < np.asarray(counts)[:, None]
    each = jax.vmap(jax.vmap(accuracy, in_axes=(None, 0)), in_axes=(None, 0))
    # One seed at a time: the logits of all orders and counts are large.
    accuracies = np.moveaxis(jax.lax.map(lambda seed: each(*seed), (params, removed)), 1, 0)
    fixed = len(ORDERS) - 1
    return dict(zip(ORDERS, [*accuracies[:fixed], accuracies[fixed:].mean(axis=0)], strict=True))


def most_exciting(layer: Layer, affine: Affine, images: AnyArray) -> np.ndarray:
    """For each neuron of ``layer``, the image that gives it the largest value before its activation."""
    excite = jax.vmap(lambda x: mlp.apply((layer,), apply_affine(affine, x)))
    return np.argmax(excite(jnp.asarray(images)), axis=0)


def measures(tables: Tables) -> dict[str, Any]:
    """What the record says, one value for each seed."""
    start, end, half = tables["start"], tables["end"], tables["half_removed"]
    pairs = zip(end, tables["outgoing_norm"], strict=True)
    found = {
        "autocorrelation_at_end": (end.mean(axis=1), "1"),
        "autocorrelation_at_start": (start.mean(axis=1), "1"),
        "share_like_static": ((end <= np.quantile(start, 0.99)).mean(axis=1), "fraction"),
        "correlation_with_outgoing_norm": ([np.corrcoef(*pair)[0, 1] for pair in pairs], "1"),
        "autocorrelation_at_first_pass": (tables["autocorrelation"][tables["first_pass"], :, 0], "1"),
        "validation_accuracy_at_first_pass": (tables["accuracy"][tables["first_pass"], :, 0], "fraction"),
        "test_accuracy": (half["random_order"][:, 0], "fraction"),
    }
    found |= {f"half_removed_{order}_test_accuracy": (half[order][:, 1], "fraction") for order in ORDERS}
    gain = {order: half["static_first"][:, 1] - half[order][:, 1] for order in ORDERS[1:]}
    found |= {f"static_first_minus_{order}": (values, "fraction") for order, values in gain.items()}
    for index, setting in enumerate(tables["settings"]):
        key, strokes = key_of(setting), tables["autocorrelation"][-1]
        found[f"{key}_autocorrelation"] = strokes[:, index], "1"
        found[f"{key}_validation_accuracy"] = tables["accuracy"][-1][:, index], "fraction"
        if index:
            found[f"{key}_minus_neither"] = strokes[:, index] - strokes[:, 0], "1"
    return found


def key_of(setting: str) -> str:
    return setting.replace(" ", "_").replace(".", "_").replace("-", "_")


def draw_images(folder: Path, splits: Splits, tables: Tables, networks: list[Params]) -> None:
    """The first seed's neurons through training and what excites them, from the most static to the least."""
    order = np.argsort(tables["end"][0])
    weights = np.stack([params[0].weight[0][:, order] for params in networks])
    moments = zip(*(tables[name] for name in ("passes", "accuracy", "autocorrelation")), strict=True)
    titles = [
        f"Data seen {passes:.2g} ×: {100 * right[0, 0]:.1f} % of validation images right, Moran's I "
        f"{strokes[0, 0]:.2f} on average\n"
        "Neurons from the most like static at the end (top left) to the most like strokes"
        for passes, right, strokes in moments
    ]
    shape, size = splits.train.inputs.shape[1:], len(order)
    shown = np.unique(np.geomspace(1, len(weights), 20).astype(int)) - 1
    frames, path = [titles[at] for at in shown], folder / "neurons.gif"
    neuron_animation(weights[shown], shape, frames, path, num_neurons=size)
    for name, at in (("start", 0), ("first_pass", tables["first_pass"]), ("end", -1)):
        path = folder / f"neurons_{name}.png"
        neuron_weights(weights[at], shape, path, num_neurons=size, title=titles[at])
    chosen = tables["exciting"][order]
    classes = [lettering.shorten(splits.class_names[label]) for label in splits.train.targets[chosen]]
    title = "The training image that excites each neuron most, and its class; in the order of neurons_end.png"
    image_grid(splits.train.inputs[chosen], classes, folder / "exciting.png", title=title)


def draw_charts(folder: Path, tables: Tables) -> None:
    """Histograms, the course of training, the settings at its end, and the removal of neurons."""
    neurons = {"random, before training": tables["start"].ravel(), "after training": tables["end"].ravel()}
    xlabel, passes = "autocorrelation of a neuron's weights (Moran's I)", tables["passes"]
    charts.histograms(neurons, folder / "histograms.png", xlabel=xlabel, ylabel="share of the neurons")
    named = {"mean Moran's I of the neurons": "autocorrelation", "validation accuracy": "accuracy"}
    course = {label: (passes, tables[name][:, :, 0].T) for label, name in named.items()}
    xlabel, ylabel = "passes through the training data", "Moran's I, or share right"
    charts.line_plot({"": course}, folder / "course.png", xlabel=xlabel, ylabel=ylabel)
    settings = tables["settings"]
    ends = {label: dict(zip(settings, tables[name][-1].T, strict=True)) for label, name in named.items()}
    xlabels = ["Moran's I (0: static)", "share of validation images right"]
    charts.point_plot(ends, folder / "settings.png", xlabel=xlabels, percent=[*named][1:])
    counts = tables["removed"]["counts"]
    removed = {order.replace("_", " "): (counts, tables["removed"][order]) for order in ORDERS}
    xlabel, ylabel = f"neurons removed, of {counts[-1]}", "validation accuracy"
    charts.line_plot({"": removed}, folder / "removed.png", xlabel=xlabel, ylabel=ylabel, percent=True)


def tell(settings: Sequence[str], measured: Mapping[str, Any]) -> None:
    """The answers in words, each difference judged by its 95 % interval over the seeds."""
    said = {name: format_mean(*summarize(values)[:2], unit) for name, (values, unit) in measured.items()}
    verdicts = ("no difference shown", "higher", "lower")
    judged = {name: f"{verdicts[significant_sign(v)]} ({said[name]})" for name, (v, _) in measured.items()}
    print(
        f"Autocorrelation: {said['autocorrelation_at_start']} before, {said['autocorrelation_at_end']} after "
        f"training; {said['share_like_static']} of the neurons stay below the top 1 % of random ones."
    )
    for setting in settings[1:]:
        print(f"Autocorrelation with {setting}, not neither: {judged[key_of(setting) + '_minus_neither']}.")
    for order in ORDERS[1:]:
        difference = judged[f"static_first_minus_{order}"]
        print(f"Half removed, static first, not {order.replace('_', ' ')}: test accuracy {difference}.")
    correlation = said["correlation_with_outgoing_norm"]
    print(f"Autocorrelation and the norm of a neuron's outgoing weights correlate by {correlation}.")


if __name__ == "__main__":
    main(Config, run)
