"""Do convolutions read images better than a multilayer perceptron? A small convolutional network on MNIST.

    python -m experiments.cnn

trains 16 filters of 5×5 pixels, then twice 32 of 3×3, each with ReLU and 2×2 max-pooling, and 128 neurons
with dropout, on images moved at random by up to 2 pixels; the aim is 99.4 %, the mean of 5 seeds. Beside it
stand two perceptrons: one of as many parameters with a quarter of the training time, a wide one with all of
it. Whether they meet moved images too is chosen on validation data; test images are read last. Convolution
as patches times a matrix is timed against XLA's own. Half an hour on 2 cores; runs/cnn then holds the
record and pictures. jaxmlp trains ``init`` and ``apply`` as it trains a perceptron.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxmlp
from experiments.command_line import main
from experiments.epoch_timer import epoch_seconds
from experiments.receipt import ImageConfig, begin, finish, load, seeds
from jaxmlp import checks
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.nn import heads, metrics, mlp
from jaxmlp.nn.augment import random_shift, with_augmentation
from jaxmlp.nn.network import Network, make_network
from jaxmlp.plots import charts, images
from jaxmlp.statistics import format_mean, summarize, verdict
from jaxmlp.train import batching
from jaxmlp.train.loop import fit
from jaxmlp.train.state import Evaluate, RunResult
from jaxmlp.types import Dataset, Hyperparams, InputError, Numbers

HIDDEN, DROPOUT, WIDE, WIDE_DROPOUT = 128, 0.5, (512, 512), 0.2
OPTIMIZER = jaxmlp.make_optimizer("adam", "one_cycle")
Measures = dict[str, tuple[Numbers, str]]
Convolve = Callable[[jax.Array, jax.Array], jax.Array]
"""(x [height, width, channels], weight) -> convolved and 2×2-max-pooled [height / 2, width / 2, filters]."""


@dataclass(frozen=True)
class Config(ImageConfig):
    convolutions: tuple[tuple[int, int], ...] = ((5, 16), (3, 32), (3, 32))
    """Side in pixels and number of the filters of each convolution."""
    shift: int = 2
    """Pixels by which a training image is moved at most, up or down and left or right."""
    learning_rate: float = 3e-3
    """Adam's largest step size; it rises to it and falls to 0 in one cycle."""
    num_epochs: int = 13
    """Passes of the convolutional network through the training data."""
    batch_size: int = 64
    """Images per step."""


class Params(NamedTuple):
    """Each convolution's weight [side, side, channels, filters] and bias, and the layers after them."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    dense: jaxmlp.Params


class Form(NamedTuple):
    """A kind of network that takes part: its programs, compiled once, and its dropout while it trains."""

    name: str
    train: jaxmlp.Train
    evaluate: Evaluate
    dropout: float | None


class Outcome(NamedTuple):
    """A form's networks, one per seed: parameters of each, training, and the validation accuracy of every
    form that was tried before this one was chosen."""

    form: Form
    size: int
    fit: RunResult
    tried: dict[str, float]


def run(config: Config) -> None:
    """Train the three forms, time the two convolutions, record, draw and tell."""
    if config.smoke:
        config = replace(config, num_epochs=2, convolutions=config.convolutions[:1])
    receipt, splits = begin(config), load(config, validation_fraction=0.05)
    check(config, splits)
    form = enter(config, "convolutions", make_cnn(config, splits), DROPOUT)
    cnn = train(config, splits, form, config.num_epochs, seeds(config))
    num_inputs, num_outputs = layer_sizes(splits, ())
    width = max(1, (cnn.size - num_outputs) // (num_inputs + 1 + num_outputs))
    seconds = float(np.mean(cnn.fit.seconds["train"]))
    small = train_rival(config, splits, (width,), None, seconds / 4)
    wide = train_rival(config, splits, WIDE, WIDE_DROPOUT, seconds)
    outcomes = {"cnn": cnn, "small_mlp": small, "wide_mlp": wide}
    fits = {name: outcome.fit for name, outcome in outcomes.items()}
    measured = measures(outcomes, splits.test) | step_times(config, splits)
    finish(
        receipt,
        config,
        dataset=config.dataset,
        metrics=measured,
        curves={f"{name}_{curve}": rows for name, f in fits.items() for curve, rows in f.history.items()},
        tables={"filters": cnn.fit.params.weights[0][0], "tried": small.tried | wide.tried},
        seconds={key: sum(np.sum(f.seconds[key]) for f in fits.values()) for key in ("compile", "train")},
        notes={"forms": {name: outcome.form.name for name, outcome in outcomes.items()}},
    )
    draw(receipt.folder, splits, outcomes, measured)
    tell(outcomes, measured)


def check(config: Config, splits: Splits) -> None:
    """Images that can be halved as often as the network does, and what no other function looks at."""
    shape, least = splits.train.inputs.shape[1:], 2 ** len(config.convolutions)
    if len(shape) < 2 or min(shape[:2]) < least:
        raise InputError(f"dataset: must hold images of at least {least}×{least} pixels, got shape {shape}")
    sides, filters = zip(*config.convolutions, strict=True) if config.convolutions else ((), ())
    checks.each("convolutions", sides, partial(checks.integer, at_least=2))
    checks.each("convolutions", filters, checks.integer)
    checks.integer("shift", config.shift, at_least=0)


def init(key: jax.Array, convolutions: Any, shape: Sequence[int], num_outputs: int) -> Params:
    """Weights as He et al. (2015) draw them, biases 0; ``shape`` is an image's."""
    *keys, dense_key = jax.random.split(key, len(convolutions) + 1)
    channels = [int(np.prod(shape[2:])), *(num_filters for _, num_filters in convolutions)]
    shapes = [(side, side, *channels[i : i + 2]) for i, (side, _) in enumerate(convolutions)]
    height, width = (size >> len(convolutions) for size in shape[:2])
    weights = tuple(map(jax.nn.initializers.he_normal(), keys, shapes))
    dense = mlp.init(dense_key, (height * width * channels[-1], HIDDEN, num_outputs))
    return Params(weights, tuple(map(jnp.zeros, channels[1:])), dense)


def apply(params: Params, image: jax.Array, convolve: Convolve, **dropout: Any) -> jax.Array:
    """The logits of one image; ``dropout`` are options of ``mlp.apply``."""
    x = image.reshape(*image.shape[:2], -1)
    for weight, bias in zip(params.weights, params.biases, strict=True):
        x = jax.nn.relu(convolve(x, weight) + bias[None, None])
    return mlp.apply(params.dense, x, **dropout)


def patches_times_matrix(x: jax.Array, weight: jax.Array) -> jax.Array:
    """A filter's answers at four neighbouring places come from one patch of whole 2×2 blocks of pixels: the
    matrix is the filter laid into the patch at each of the four, and pooling keeps the largest answer.
    """
    side, height, width = len(weight), x.shape[0] // 2, x.shape[1] // 2
    before, reach = (side - 1) // 2, side // 2 + 1
    padding = [(before, 2 * (size // 2 + reach - 1) - size - before) for size in x.shape[:2]]
    blocks = by_blocks(jnp.pad(x, (*padding, (0, 0))))
    # Slices rather than a gather, whose gradient is a scatter: slow on CPU.
    views = [blocks[i : i + height, j : j + width] for i, j in np.ndindex(reach, reach)]
    gap = 2 * reach - side
    laid = [jnp.pad(weight, ((i, gap - i), (j, gap - j), (0, 0), (0, 0))) for i, j in np.ndindex(2, 2)]
    matrix = by_blocks(jnp.stack(laid, axis=3)).reshape(-1, 4 * weight.shape[-1])
    answers = jnp.concatenate(views, axis=-1) @ matrix
    # The gradient of a maximum over an axis would pass over all answers several times.
    return reduce(jnp.maximum, jnp.split(answers, 4, axis=-1))


def by_blocks(x: jax.Array) -> jax.Array:
    """[2 height, 2 width, …] -> [height, width, numbers]: those of each 2×2 block in one row."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    return x.reshape(height, 2, width, 2, -1).swapaxes(1, 2).reshape(height, width, -1)


def lax_convolution(x: jax.Array, weight: jax.Array) -> jax.Array:
    """The same by XLA's own convolution."""
    layout, height, width = ("NHWC", "HWIO", "NHWC"), x.shape[0] // 2, x.shape[1] // 2
    answers = jax.lax.conv_general_dilated(x[None], weight, (1, 1), "SAME", dimension_numbers=layout)[0]
    return answers[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).max(axis=(1, 3))


def make_cnn(config: Config, splits: Splits, convolve: Convolve = patches_times_matrix) -> Network:
    """The convolutional network of raw images, which are moved while it trains."""
    affine, head = jaxmlp.fit_affine(splits.train.inputs), heads.HEADS[splits.task]()
    shape, (_, num_outputs) = splits.train.inputs.shape[1:], layer_sizes(splits, ())

    def init_fn(key: jax.Array, hyperparams: Hyperparams) -> Any:
        return init(key, config.convolutions, shape, num_outputs), ()

    def logits(params: Any, image: jax.Array, **dropout: Any) -> jax.Array:
        return apply(params, jaxmlp.apply_affine(affine, image), convolve, **dropout)

    def loss_fn(params: Params, model_state: Any, example: Any, key: Any, hyperparams: Hyperparams) -> Any:
        image, target = example
        return head.loss(logits(params, image, dropout=hyperparams.dropout, key=key), target), model_state

    network = Network(init_fn, loss_fn, lambda params, model_state, image: logits(params, image))
    return moving(network, config)


def moving(network: Network, config: Config) -> Network:
    """The network that meets each training image moved a little, anew in each pass."""
    return with_augmentation(network, partial(random_shift, largest=config.shift))


def enter(config: Config, name: str, network: Network, dropout: float | None) -> Form:
    train = jaxmlp.make_train(network.init_fn, network.loss_fn, OPTIMIZER, config.batch_size)
    evaluate = jaxmlp.make_evaluate(network.predict_fn, {"accuracy": metrics.CLASSIFICATION["accuracy"]})
    return Form(name, train, evaluate, dropout)


def train(config: Config, splits: Splits, form: Form, num_epochs: int, runs: Sequence[int]) -> Outcome:
    """One network per seed, in turn, since each fills the cores of a CPU alone.

    Arrays of the RunResult are [seeds, …], as from ``fit_population``; its ``seconds`` are, too.
    """
    print(f"{form.name}: {num_epochs} epochs", flush=True)
    num_steps = num_epochs * batching.num_batches(len(splits.train.inputs), config.batch_size)
    hyperparams = Hyperparams(config.learning_rate, dropout=form.dropout, num_steps=num_steps)
    options: dict[str, Any] = {"num_epochs": num_epochs, "hyperparams": hyperparams}
    fits: list[RunResult] = []
    for key, data_key in zip(*jaxmlp.seed_keys(runs), strict=True):
        options |= {"key": key, "data_key": data_key, "progress": config.progress}
        fits.append(fit(form.train, form.evaluate, splits.train, splits.validation, **options))
        if fits[-1].interrupted:
            raise KeyboardInterrupt
    size = sum(leaf.size for leaf in jax.tree.leaves(fits[0].params))
    return Outcome(form, size, jax.tree.map(lambda *values: np.stack(values), *fits), {})


def train_rival(
    config: Config, splits: Splits, hidden_sizes: tuple[int, ...], dropout: float | None, seconds: float
) -> Outcome:
    """Perceptrons that train for ``seconds`` each, on moved images if these gave one of them, of the first
    seed, the better validation accuracy in as many epochs as the convolutional network has.
    """
    sizes = layer_sizes(splits, hidden_sizes)
    still = make_network(sizes, heads.HEADS[splits.task], jaxmlp.fit_affine(splits.train.inputs))
    networks = {"moved": moving(still, config)} | ({} if config.smoke else {"still": still})
    trials = []
    for word, network in networks.items():
        form = enter(config, f"{'-'.join(map(str, sizes))}, images {word}", network, dropout)
        trials.append(train(config, splits, form, config.num_epochs, [config.seed]))
    tried = {trial.form.name: float(trial.fit.history["validation_accuracy"].max()) for trial in trials}
    best = max(trials, key=lambda trial: tried[trial.form.name])
    num_epochs = max(1, round(config.num_epochs * seconds / float(np.sum(best.fit.seconds["train"]))))
    return train(config, splits, best.form, num_epochs, seeds(config))._replace(tried=tried)


def step_times(config: Config, splits: Splits) -> Measures:
    """The time of a training step both ways: the mean of four, measured as often as there are epochs."""
    size, (key, data_key) = 4 * config.batch_size, jax.random.split(jax.random.key(config.seed))
    few = jax.tree.map(lambda values: np.resize(values, (size, *values.shape[1:])), splits.train)
    hyperparams = Hyperparams(config.learning_rate, dropout=DROPOUT, num_steps=1000)
    options = {"key": key, "data_key": data_key, "num_epochs": config.num_epochs}
    times = {}
    for name, convolve in {"patches": patches_times_matrix, "lax": lax_convolution}.items():
        form = enter(config, name, make_cnn(config, splits, convolve), DROPOUT)
        seconds = epoch_seconds(form.train, few, hyperparams=hyperparams, **options)
        times[name] = 1000 * np.array(seconds) / 4
    slowdown: Measures = {"lax_slowdown": (times["lax"] / np.mean(times["patches"]), "1")}
    return slowdown | {f"{name}_step": (values, "ms") for name, values in times.items()}


def measures(outcomes: dict[str, Outcome], test: Dataset) -> Measures:
    """Of each form one value per seed, test images read here, and the differences of those that share one."""
    measured: Measures = {}
    for name, (form, size, fitted, _) in outcomes.items():
        evaluate = jax.jit(jax.vmap(form.evaluate, in_axes=(0, 0, None)))
        accuracy = np.asarray(evaluate(fitted.params, fitted.model_state, test)["accuracy"])
        validation = fitted.history["validation_accuracy"]
        measured[f"{name}_test_accuracy"] = accuracy, "fraction"
        measured[f"{name}_validation_accuracy"] = validation.max(axis=1), "fraction"
        measured[f"{name}_training_time"] = fitted.seconds["train"], "s"
        measured[f"{name}_epochs"] = [validation.shape[1]], "epochs"
        measured[f"{name}_parameters"] = [size / 1000], "thousand"
        if name != "cnn":
            measured[f"cnn_minus_{name}"] = measured["cnn_test_accuracy"][0] - accuracy, "fraction"
    return measured


def tell(outcomes: dict[str, Outcome], measured: Measures) -> None:
    """The answer in sentences."""
    said = {name: format_mean(*summarize(values)[:2], unit) for name, (values, unit) in measured.items()}
    for name, outcome in outcomes.items():
        print(f"{outcome.form.name}: {said[f'{name}_test_accuracy']} of the test images right")
        if name != "cnn":
            print(f"  convolutions minus this: {verdict(*measured[f'cnn_minus_{name}'])}")
    print(f"a step: {said['patches_step']} as patches times a matrix, {said['lax_step']} with lax.conv")


def draw(folder: Path, splits: Splits, outcomes: dict[str, Outcome], measured: Measures) -> None:
    """The comparison, and the first convolution of one network: its filters, and an image as they see it."""
    panels: dict[str, Any] = {"test images right": {}, "size": {}, "training": {}}
    for name, outcome in outcomes.items():
        for panel, measure in zip(panels, ("test_accuracy", "parameters", "training_time"), strict=True):
            panels[panel][outcome.form.name] = measured[f"{name}_{measure}"][0]
    units = ["share of all", "thousands of parameters", "seconds for one network"]
    title = "Each network a small dot, their mean a large one with its 95 % interval"
    charts.point_plot(
        panels, folder / "comparison.png", xlabel=units, percent=["test images right"], title=title
    )
    weight, bias = (leaves[0][0] for leaves in outcomes["cnn"].fit.params[:2])
    numbers, grey = [str(number) for number in range(1, len(bias) + 1)], weight.shape[2] == 1
    title = "The weights of each first filter" + ": blue below 0, red above" * grey
    shown = np.moveaxis(weight, -1, 0)
    images.image_grid(shown, numbers, folder / "filters.png", signed=grey, columns=8, title=title)
    image = jaxmlp.apply_affine(jaxmlp.fit_affine(splits.train.inputs), jnp.asarray(splits.test.inputs[0]))
    answers = patches_times_matrix(image.reshape(*image.shape[:2], -1), weight) + bias[None, None]
    shown, label = np.moveaxis(np.maximum(answers, 0), -1, 0), splits.test.targets[0]
    title = (
        f"Each first filter's answer to a test image of class {splits.class_names[label]}: bright is large"
    )
    images.image_grid(shown, numbers, folder / "answers.png", columns=8, title=title)


if __name__ == "__main__":
    main(Config, run)
