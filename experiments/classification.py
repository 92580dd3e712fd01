"""What the experiments on classes share: load, train seeds or splits, test once, record, draw, save.

``digits`` and ``mnist`` are this with defaults of their own.
"""

import dataclasses
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from experiments import receipt
from jaxmlp import checks
from jaxmlp.data import class_weights
from jaxmlp.data.drawings import drawing_extent as extent_of_drawings
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.models import schema
from jaxmlp.models.model import Model, predict, predict_proba, save
from jaxmlp.nn import heads, mlp, preprocessing
from jaxmlp.nn.augment import random_deformation, with_augmentation
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.plots import weights
from jaxmlp.runtime import environment as runtime_environment
from jaxmlp.runtime.devices import batch_sharding, make_mesh
from jaxmlp.statistics import format_mean, summarize
from jaxmlp.train import batching, optimizers
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints
from jaxmlp.train.loop import FitResult, fit
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Hyperparams, InputError


@dataclasses.dataclass(frozen=True)
class Config(receipt.DeviceConfig):
    """Settings of one experiment; every one has a default that works."""

    num_seeds: int = 1
    """Networks to train at once, which differ in initial weights, dropout and the order of the data."""
    dataset: str = "digits"
    """Name of the data: digits, wine, … from scikit-learn, or any image set of tensorflow-datasets."""
    hidden_sizes: tuple[int, ...] = (60,)
    """Neurons in each hidden layer, first layer first."""
    activation: str = "relu"
    """Activation of the hidden layers, a function of jax.nn."""
    optimizer: str = "adam"
    """Optimizer of optax."""
    schedule: str = "constant"
    """How the learning rate changes over the run: constant, cosine, warmup_cosine or one_cycle."""
    learning_rate: float | None = None
    """Step size (default: the optimizer's own)."""
    weight_decay: float | None = None
    """Decoupled weight decay (default: the optimizer's own)."""
    momentum: float | None = None
    """Decay rate of the gradient's running mean (default: the optimizer's own)."""
    clip_norm: float | None = None
    """Scale longer gradients down to this norm."""
    max_norm: float | None = None
    """Keep each neuron's incoming weights within this norm."""
    dropout: float | None = None
    """Share of hidden neurons dropped in each training step."""
    input_dropout: float | None = None
    """Share of inputs dropped in each training step."""
    label_smoothing: float | None = None
    """Share of the target's probability spread over all classes."""
    augment: bool = False
    """Turn, shear, scale, move and bend each training image at random, anew in each pass."""
    class_weight: Literal["balanced"] | None = None
    """'balanced' makes every class count alike in the loss."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in training; parameters are float32 in any case."""
    batch_size: int | None = None
    """Examples per step (default: 128, or all if there are fewer)."""
    num_epochs: int = 20
    """Passes through the training data."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts (default: half its memory)."""
    patience: int | None = None
    """Stop after this many epochs without a better validation accuracy."""
    num_splits: int = 1
    """Different cuts into training, validation and test data to train on, one after another."""
    split_seed: int = 0
    """The first cut."""
    validation_fraction: float = 0.1
    """Share of the training data kept aside to choose the best epoch."""


class Outcome(NamedTuple):
    """One split's networks: the fit of all seeds, and their metrics by part, one value per seed."""

    splits: Splits
    affine: preprocessing.Affine
    fit: FitResult
    metrics: dict[str, np.ndarray]


def run(config: Config) -> None:
    """Train, test, draw and record."""
    check(config)
    begun = receipt.begin(config)
    data_seconds, outcomes = 0.0, []
    for split_seed in range(config.split_seed, config.split_seed + config.num_splits):
        loading = time.perf_counter()
        splits = load(config, split_seed)
        data_seconds += time.perf_counter() - loading
        checkpoints = receipt.checkpoints(begun, config, f"split-{split_seed}")
        outcomes.append(train_seeds(config, splits, checkpoints))
        if outcomes[-1].fit.interrupted:
            print("stopped; what follows is of the epochs so far, and --resume goes on")
            break
        if config.checkpoint_every is None:
            clear_checkpoints(checkpoints)
    model, chosen = best_network(config, outcomes)
    values = {name: varied_values(config, outcomes, name) for name in outcomes[0].metrics}
    seconds = {name: sum(outcome.fit.seconds[name] for outcome in outcomes) for name in ("compile", "train")}
    save(begun.folder / "model.safetensors", model)
    receipt.finish(
        begun,
        config,
        dataset=config.dataset,
        metrics={name: (value, unit_of(name)) for name, value in values.items()},
        curves=curves_of(outcomes),
        seconds={"data": data_seconds, **seconds},
        notes={
            "varied": "split" if config.num_splits > 1 else "seed",
            "interrupted": bool(outcomes[-1].fit.interrupted),
        },
    )
    draw(begun.folder, model, chosen, outcomes)
    if config.augment:
        draw_deformed(begun.folder, np.asarray(chosen.splits.train.inputs))
    tell(values)


def check(config: Config) -> None:
    """Every rule that needs no data, before any is read."""
    for name in ("num_epochs", "num_splits", "batch_size", "patience"):
        if getattr(config, name) is not None:
            checks.integer(name, getattr(config, name), at_least=1)
    checks.integer("split_seed", config.split_seed, at_least=0)
    mlp.check_sizes("hidden_sizes", config.hidden_sizes)
    mlp.get_activation(config.activation)
    optimizers.make_optimizer(config.optimizer, config.schedule)(hyperparams_of(config, num_steps=1))
    checks.hyperparams(hyperparams_of(config, num_steps=1))


def load(config: Config, split_seed: int) -> Splits:
    """The data of one split, in the sizes and with the weights that the configuration asks for."""
    splits = receipt.load(config, split_seed=split_seed, validation_fraction=config.validation_fraction)
    if config.class_weight:
        splits = splits._replace(train=class_weights.with_class_weights(splits.train, config.class_weight))
    return splits


def train_seeds(config: Config, splits: Splits, checkpoints: Checkpoints) -> Outcome:
    """All seeds on one split as one program; the test part is read once, at the end."""
    affine = preprocessing.fit_affine(splits.train.inputs)
    network = make_network(
        layer_sizes(splits, config.hidden_sizes),
        heads.HEADS[splits.task],
        affine,
        activation=mlp.get_activation(config.activation),
        precision=config.precision,
    )
    if config.augment:
        shape = splits.train.inputs.shape[1:]
        if len(shape) < 2:
            raise InputError(f"augment: is for images, but an example of {splits.name} has shape {shape}")
        network = with_augmentation(network, random_deformation)
    num_examples = len(splits.train.inputs)
    batch_size = config.batch_size or min(128, num_examples)
    num_epochs = min(config.num_epochs, 2) if config.smoke else config.num_epochs
    mesh = make_mesh(config.mesh, num_members=config.num_seeds)
    describe(config, splits)
    train, evaluate = vmap_runs(
        make_train(
            network.init_fn,
            network.loss_fn,
            optimizers.make_optimizer(config.optimizer, config.schedule),
            batch_size,
            batch_sharding=batch_sharding(mesh),
        ),
        make_evaluate(network.predict_fn, CLASSIFICATION),
        "key",
        "data_key",
    )
    key, data_key = seed_keys(receipt.seeds(config))
    fitted = fit(
        train,
        evaluate,
        splits.train,
        splits.validation,
        key=key,
        data_key=data_key,
        hyperparams=hyperparams_of(config, num_epochs * batching.num_batches(num_examples, batch_size)),
        num_epochs=num_epochs,
        patience=config.patience,
        mesh=mesh,
        data_bytes=config.data_bytes,
        checkpoints=checkpoints,
        progress=config.progress,
    )
    return Outcome(splits, affine, fitted, measure(evaluate, fitted, splits))


def hyperparams_of(config: Config, num_steps: int) -> Hyperparams:
    """The configuration's traced values; what it leaves out is the optimizer's default."""
    recipe = optimizers.get_recipe(config.optimizer)
    given = {name: getattr(config, name, None) for name in Hyperparams._fields}
    if given["learning_rate"] is None:
        given["learning_rate"] = recipe.learning_rate
    if given["weight_decay"] is None:
        given["weight_decay"] = recipe.weight_decay
    given["num_steps"] = None if config.schedule == "constant" else num_steps
    return Hyperparams(**given)


def measure(evaluate: Any, fitted: FitResult, splits: Splits) -> dict[str, np.ndarray]:
    """``validation_accuracy``, ``test_accuracy``, … of the chosen epochs, one value per seed."""
    evaluated = {
        part: jax.jit(evaluate)(fitted.params, fitted.model_state, getattr(splits, part))
        for part in ("test", "validation")
    }
    values: dict[str, Any] = {
        f"{part}_{name}": v for part, named in evaluated.items() for name, v in named.items()
    }
    values["best_epoch"] = fitted.best_epoch
    return {name: np.asarray(value, float) for name, value in values.items()}


def varied_values(config: Config, outcomes: list[Outcome], name: str) -> np.ndarray:
    """One value for each seed, or for each split (the mean of its seeds) where the split was varied."""
    values = np.stack([outcome.metrics[name] for outcome in outcomes])
    return values.mean(axis=1) if config.num_splits > 1 else values[0]


def best_network(config: Config, outcomes: list[Outcome]) -> tuple[Model, Outcome]:
    """The network with the best validation accuracy, ready to be saved, and where it came from."""
    scores = np.stack([outcome.metrics["validation_accuracy"] for outcome in outcomes])
    split, seed = np.unravel_index(np.argmax(scores), scores.shape)
    outcome = outcomes[split]
    splits, environment = outcome.splits, runtime_environment.describe()
    images = np.asarray(splits.train.inputs)
    description = schema.ModelSpec(
        networks=(schema.SavedNetwork(layer_sizes(splits, config.hidden_sizes), config.activation),),
        head=splits.task,
        input_shape=images.shape[1:],
        class_names=splits.class_names,
        dataset=splits.name,
        metrics={name: float(values[seed]) for name, values in outcome.metrics.items()},
        versions={name: environment[name] for name in ("jaxmlp", "jax", "numpy")},
        drawing_extent=extent_of_drawings(images) if images.ndim > 2 else None,
    )
    params = jax.tree.map(lambda leaf: np.asarray(leaf[seed]), outcome.fit.params)
    return Model((params,), outcome.affine, description), outcome


def curves_of(outcomes: list[Outcome]) -> dict[str, list[list[float]]]:
    """Every seed of every split, by the curve's name."""
    names = outcomes[0].fit.history
    return {
        name: [row.tolist() for outcome in outcomes for row in outcome.fit.history[name]] for name in names
    }


def draw(out: Path, model: Model, outcome: Outcome, outcomes: list[Outcome]) -> None:
    """The pictures of the chosen network, and the curves of all."""
    from jaxmlp.plots import classifier
    from jaxmlp.plots import images as plots_images

    test, class_names = outcome.splits.test, outcome.splits.class_names
    probabilities = np.asarray(predict_proba(model, test.inputs))
    predictions = np.asarray(predict(model, test.inputs))
    classifier.learning_curves(curves_of(outcomes), out / "curves.png", title=outcome.splits.name)
    classifier.confusion_matrix(test.targets, predictions, class_names, out / "confusion.png")
    if test.inputs.ndim > 2:
        shape = model.description.input_shape
        weights.neuron_weights(
            model.networks[0][0].weight, shape, out / "neurons.png", title=outcome.splits.name
        )
        plots_images.most_wrong(test.inputs, test.targets, probabilities, class_names, out / "most_wrong.png")


def draw_deformed(out: Path, images: np.ndarray) -> None:
    """A few training images, each beside others that the networks met in its place."""
    from jaxmlp.plots import images as plots_images

    shown, keys = jax.numpy.asarray(images[:6]), jax.random.split(jax.random.key(0), 7)
    met = [np.asarray(jax.vmap(random_deformation, in_axes=(None, 0))(key, shown)) for key in keys]
    rows = np.stack([np.asarray(shown, float), *met], axis=1).reshape(-1, *images.shape[1:])
    titles = ["as it is", *[""] * len(met)] * len(shown)
    plots_images.image_grid(rows, titles, out / "deformed.png", columns=1 + len(met))


def describe(config: Config, splits: Splits) -> None:
    """Say what is about to be trained, on what."""
    sizes = layer_sizes(splits, config.hidden_sizes)
    num_params = sum((i + 1) * o for i, o in pairwise(sizes))
    parts = ", ".join(
        f"{len(part.inputs):,} {name}"
        for name, part in (
            ("training", splits.train),
            ("validation", splits.validation),
            ("test", splits.test),
        )
    )
    print(f"{splits.name}: {parts} examples, {len(splits.class_names)} classes")
    print(
        f"{config.num_seeds} network{'s' * (config.num_seeds > 1)} of {'-'.join(map(str, sizes))}, "
        f"{num_params:,} parameters each, "
        f"{config.optimizer} at {hyperparams_of(config, 1).learning_rate:g}",
        flush=True,
    )


def tell(values: dict[str, np.ndarray]) -> None:
    """The result with its standard error."""
    summary = summarize(values["test_accuracy"])
    spread = f" (standard error, n = {summary.n})" if summary.n > 1 else ""
    print(f"test accuracy {format_mean(summary.mean, summary.standard_error, 'fraction')}{spread}")
    print(f"test log-loss {np.mean(values['test_log_loss']):.4f} nats")


def unit_of(name: str) -> str:
    """The unit of ``test_accuracy`` and its like."""
    measure = name.split("_", 1)[1]
    return CLASSIFICATION[measure].unit if measure in CLASSIFICATION else "1"
