"""What the experiments on classes share: train seeds or splits, test once, save, draw and answer.

``digits`` and ``mnist`` are this with defaults of their own.
"""

import dataclasses
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from experiments.harness import flags
from experiments.harness.answers import Answer, Record, counted, said
from experiments.harness.network_pictures import (
    MAX_PAGE_BYTES,
    NUM_SNAPSHOTS,
    confusion_table,
    draw_data,
    draw_neurons,
    write_page,
)
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from jaxmlp import checks
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.models.evaluation import evaluate
from jaxmlp.models.fit_result import FitResult
from jaxmlp.models.fitting import fit_mlp
from jaxmlp.models.model import Model, save, with_spec
from jaxmlp.models.model import load as load_model
from jaxmlp.models.snapshots import save_snapshots
from jaxmlp.nn import mlp
from jaxmlp.nn.augment import random_deformation
from jaxmlp.nn.metrics import metric_unit
from jaxmlp.plots import classifier
from jaxmlp.runtime.devices import make_mesh
from jaxmlp.train import optimizers
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints
from jaxmlp.train.schedules import SCHEDULES


@dataclasses.dataclass(frozen=True)
class Config(flags.DeviceConfig):
    SMOKE: ClassVar[flags.Sizes] = {"num_epochs": 2}

    num_seeds: int = 1
    """Networks to train at once, which differ in initial weights, dropout and the order of the data."""
    dataset: str = "digits"
    """Name of the data: digits, wine, … from scikit-learn, or any image set of tensorflow-datasets."""
    hidden_sizes: tuple[int, ...] = (60,)
    """Neurons in each hidden layer, first layer first."""
    activation: Annotated[str, flags.Rule(lambda _, name: mlp.get_activation(name))] = "relu"
    """Activation of the hidden layers, a function of jax.nn."""
    optimizer: Annotated[str, flags.Rule(lambda _, name: optimizers.get_recipe(name))] = "adam"
    """Optimizer of optax."""
    schedule: Annotated[str, flags.Rule(partial(checks.known_name, known=SCHEDULES))] = "constant"
    """How the learning rate changes over the run: constant, cosine, warmup_cosine, one_cycle or cycles."""
    hyperparams: flags.Hyperparameters = dataclasses.field(default_factory=flags.HyperparamFlags)
    augment: bool = False
    """Turn, shear, scale, move and bend each training image at random, anew in each pass."""
    class_weight: Literal["balanced"] | None = None
    """'balanced' makes every class count alike in the loss."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in training; parameters are float32 in any case."""
    batch_size: Annotated[int | None, flags.Rule(checks.integer)] = None
    """Examples per step (default: 128, or all if there are fewer)."""
    num_epochs: flags.Count = 20
    """Passes through the training data."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts (default: half its memory)."""
    patience: Annotated[int | None, flags.Rule(checks.integer)] = None
    """Stop after this many epochs without a better validation accuracy."""
    num_splits: flags.Count = 1
    """Different cuts into training, validation and test data to train on, one after another."""
    split_seed: Annotated[int, flags.Rule(partial(checks.integer, at_least=0))] = 0
    """The first cut."""
    validation_fraction: float = 0.1
    """Share of the training data kept aside to choose the best epoch."""


PASSED_ON = (
    *("hidden_sizes", "activation", "optimizer", "schedule", "class_weight", "precision", "batch_size"),
    *("num_epochs", "data_bytes", "patience", "seed", "num_seeds", "progress"),
)
"""Flags that are arguments of ``fit_mlp``."""


class Outcome(NamedTuple):
    """One split's networks: the fit of all seeds, and their metrics by part, one value per seed."""

    splits: Splits
    fit: FitResult
    metrics: dict[str, np.ndarray]


def run(config: Config) -> Findings:
    data_seconds, outcomes = 0.0, []
    for split_seed in range(config.split_seed, config.split_seed + config.num_splits):
        loading = time.perf_counter()
        splits = flags.load(config, split_seed=split_seed, validation_fraction=config.validation_fraction)
        data_seconds += time.perf_counter() - loading
        kept = flags.checkpoints(config, f"split-{split_seed}")
        outcomes.append(train_seeds(config, splits, kept))
        if outcomes[-1].fit.interrupted:
            print("--resume goes on from here")
            break
        if config.checkpoint_every is None:
            clear_checkpoints(kept)
    model, chosen = best_network(outcomes)
    save(config.folder / "model.safetensors", model)
    save_snapshots(config.folder / "snapshots", chosen.fit.snapshots)
    varied, histories = "split" if config.num_splits > 1 else "seed", [o.fit.run.history for o in outcomes]
    metrics = {}
    for name in chosen.metrics:
        values = np.stack([outcome.metrics[name] for outcome in outcomes])
        metrics[name] = values.mean(axis=1) if varied == "split" else values[0], metric_unit(name)
    return Findings(
        config.dataset,
        metrics,
        curves={name: [row.tolist() for h in histories for row in h[name]] for name in histories[0]},
        seconds={"data": data_seconds} | total_seconds(outcome.fit.run.seconds for outcome in outcomes),
        notes={"varied": varied, "interrupted": bool(outcomes[-1].fit.interrupted)},
        tables=confusion_table(model, chosen.splits),
        pictures=partial(draw_data, model, chosen.splits, config.augment),
    )


def train_seeds(config: Config, splits: Splits, kept: Checkpoints) -> Outcome:
    """All seeds on one split as one program; the test part is read once, at the end."""
    sizes = layer_sizes(splits, config.hidden_sizes)
    num_params = sum((i + 1) * o for i, o in pairwise(sizes))
    networks = f"{config.num_seeds} network{'s' * (config.num_seeds > 1)} of {'-'.join(map(str, sizes))}"
    print(f"{splits.name}: {splits.summary()['examples']}")
    print(f"{networks}, {num_params:,} parameters each", flush=True)
    given: dict[str, Any] = {name: getattr(config, name) for name in PASSED_ON}
    result = fit_mlp(
        splits,
        **given | dataclasses.asdict(config.hyperparams),
        augment=random_deformation if config.augment else None,
        mesh=make_mesh(config.mesh, num_members=config.num_seeds),
        # For the slider of the page, unless they would be large.
        num_snapshots=NUM_SNAPSHOTS if 4 * num_params * NUM_SNAPSHOTS <= MAX_PAGE_BYTES else 0,
        checkpoints=kept,
    )
    return Outcome(splits, result, measure(result, splits))


def measure(result: FitResult, splits: Splits) -> dict[str, np.ndarray]:
    """``validation_accuracy``, ``test_accuracy``, … of the chosen epochs, one value per seed."""
    values: dict[str, Any] = {"best_epoch": result.run.best_epoch}
    for part in ("test", "validation"):
        reached = [evaluate(model, getattr(splits, part)) for model in result.models]
        values |= {f"{part}_{name}": [one[name] for one in reached] for name in reached[0]}
    return {name: np.asarray(value, float) for name, value in values.items()}


def best_network(outcomes: list[Outcome]) -> tuple[Model, Outcome]:
    """The network with the best validation accuracy, with what it reached, and where it came from."""
    found = max(outcomes, key=lambda outcome: outcome.metrics["validation_accuracy"][outcome.fit.best])
    reached = {name: float(values[found.fit.best]) for name, values in found.metrics.items()}
    return with_spec(found.fit.model, metrics=reached), found


def draw(record: Record, folder: Path) -> None:
    """The learning curves of all networks and what the chosen one confuses; where it is kept its weights, and
    its page.
    """
    path, title = folder / "curves.png", record["dataset"]
    classifier.learning_curves(record["curves"], path, epochs=record["epochs"], title=title)
    if (path := folder / "model.safetensors").exists():
        draw_neurons(model := load_model(path), folder / "neurons.png")
        write_page(model, record, folder / "page.html")
    counts, names = (record["tables"][name] for name in ("confusion", "class_names"))
    classifier.confusion_matrix(np.array(counts), names, folder / "confusion.png")


def answer(record: Record) -> Answer:
    layers = "-".join(map(str, record["config"]["hidden_sizes"])) or "no"
    recipe = ", each training image deformed anew in each pass" * bool(record["config"].get("augment"))
    return Answer(
        "test_accuracy",
        f"{said(record, 'test_accuracy')} of the test examples are read right "
        f"({counted(record, 'test_accuracy')}; hidden neurons: {layers}{recipe})",
    )
