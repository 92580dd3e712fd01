"""From splits to a model that can be saved: one perceptron, or the same with several seeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np
import optax
from jax.sharding import Mesh

from jaxmlp import checks
from jaxmlp.data.class_weights import ClassWeight, weigh_parts
from jaxmlp.data.splits import Splits
from jaxmlp.models.evaluation import Metrics, choose_metrics
from jaxmlp.models.fit_result import FitResult, make_result
from jaxmlp.models.model import Model
from jaxmlp.models.training import Loss, prepare_training
from jaxmlp.models.warm_start import choose_scaling, choose_spec, with_weights
from jaxmlp.nn.augment import Augment, with_augmentation
from jaxmlp.nn.metrics import Metric
from jaxmlp.nn.network import Network
from jaxmlp.runtime.devices import make_mesh
from jaxmlp.train.batching import choose_sizes, num_batches
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import get_recipe, make_optimizer, read_multipliers
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.schedules import warn_few_steps
from jaxmlp.train.state import Evaluate, Train
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Hyperparams, InputError

_TYPES: dict[str, tuple[Any, ...]] = {
    "splits": (Splits,),
    "optimizer": (str, optax.GradientTransformation),
    "schedule": (str,),
    "loss": (Callable, NoneType),
    "metrics": (Mapping, NoneType),
    "augment": (Callable, NoneType),
    "rate_multipliers": (Mapping, NoneType),
    "start": (Model, NoneType),
    "mesh": (str, Mesh, NoneType),
    "checkpoints": (Checkpoints, NoneType),
}


def fit_mlp(
    splits: Splits,
    *,
    numeric_scaling: str | None = None,
    hidden_sizes: Sequence[int] | None = None,
    activation: str | None = None,
    embedding: str | None = None,
    parametrization: str = "standard",
    optimizer: str | optax.GradientTransformation = "adam",
    schedule: str = "constant",
    rate_multipliers: Mapping[str, float] | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    momentum: float | None = None,
    clip_norm: float | None = None,
    max_norm: float | None = None,
    dropout: float | None = None,
    input_dropout: float | None = None,
    label_smoothing: float | None = None,
    initial_scale: float | None = None,
    frequency_scale: float | None = None,
    b2: float | None = None,
    deformation: float | None = None,
    loss: Loss | None = None,
    metrics: Metrics | None = None,
    class_weight: ClassWeight | None = None,
    augment: Augment | None = None,
    precision: str = "float32",
    batch_size: int | None = None,
    num_epochs: int | None = None,
    monitor: str | None = None,
    patience: int | None = None,
    seed: int = 0,
    num_seeds: int = 1,
    start: Model | None = None,
    mesh: Mesh | str | None = None,
    data_bytes: int | None = None,
    checkpoints: Checkpoints | None = None,
    num_snapshots: int = 0,
    progress: bool = True,
) -> FitResult:
    """Train a multilayer perceptron on ``splits``, or ``num_seeds`` of them as one program, and choose each
    one's best epoch on the validation part. The test part is not looked at.

    With ``numeric_scaling`` "quantile", the numbers of a table become uniform, by their ranks in training;
    without it, they are standardised.

    The network: ``hidden_sizes`` (default: one layer of 64) and ``activation`` (default: relu), a function of
    jax.nn. ``embedding`` "periodic" shows it each number of a table also as waves, whose initial frequencies
    ``frequency_scale`` spreads. With ``parametrization`` "ntk", weights are divided by the root of a layer's
    width, and each input has a factor. With ``start``, a saved model of the same data, training goes on from
    its weights, in its shape.

    The optimizer: a name of ``optimizers.RECIPES``, whose learning rate and weight decay are the defaults, or
    any optax transformation, which has its own. ``schedule`` is one of ``schedules.SCHEDULES``;
    ``rate_multipliers`` are factors on it for parts of the network, by their names, as {"bias": 0.1,
    "input_scale": 6}; the other numbers are those of Hyperparams.

    What is learnt: ``loss(logits, target)`` of one example takes the place of the cross-entropy or squared
    error; the targets of a regression are then not scaled. ``metrics``, beside those of the task, are
    functions ``(logits, targets) -> scalar`` of all examples, which get the logarithms of the classes'
    probabilities, [examples, classes], or predictions in the targets' unit, [examples, outputs]. ``monitor``
    is the one that chooses (default: accuracy, R², or a loss of your own); one of your own must be a Metric,
    which knows in what direction it improves. ``class_weight`` is "balanced" or a weight for each label.
    Weights of examples and classes count in training, and in what chooses the epoch and calibrates the model;
    a metric of your own does not know them, unless its Metric ``weighs``. ``augment(key, image)`` makes
    another image each time.

    How: ``batch_size`` and ``num_epochs`` by default suit the size of the data. ``patience`` epochs without a
    better one end the run. ``mesh``, as ``make_mesh`` takes or makes it, names several devices.
    ``data_bytes``, ``checkpoints`` and ``num_snapshots`` are those of ``fit``.

    Raises InputError for what cannot be, and FloatingPointError when no loss is finite any more.

    >>> import jaxmlp
    >>> splits = jaxmlp.load_dataset("iris")
    >>> result = jaxmlp.fit_mlp(splits, hidden_sizes=(16,), num_epochs=30, progress=False)
    >>> jaxmlp.evaluate(result.model, splits.test)["accuracy"] > 0.8
    True
    """
    _check_types(
        {"splits": splits, "optimizer": optimizer, "loss": loss, "metrics": metrics, "augment": augment}
        | {"start": start, "mesh": mesh, "checkpoints": checkpoints, "rate_multipliers": rate_multipliers}
        | {"schedule": schedule}
    )
    spec = choose_spec(splits, start, hidden_sizes, activation, embedding, parametrization)
    splits = _weigh_classes(splits, class_weight)
    scaling = choose_scaling(splits, start, loss, numeric_scaling)
    network_of, data = prepare_training(splits, precision, scaling, loss)
    network, num_examples = _adapt(network_of(spec), splits, start, augment), len(data.train.inputs)
    batch_size, num_epochs = choose_sizes(num_examples, batch_size, num_epochs)
    mesh = make_mesh(mesh) if isinstance(mesh, str) else mesh
    metrics = choose_metrics(splits.task, scaling.targets, loss, metrics)
    shaping = optimizer, schedule, tuple(read_multipliers(rate_multipliers).items()), batch_size, mesh
    functions = _make_functions(network, *shaping, tuple(metrics.items()))
    about = {"network": spec, "optimizer": optimizer, "schedule": schedule, "precision": precision}
    about |= {"rate_multipliers": rate_multipliers, "loss": loss, "augment": augment}
    num_steps = None if schedule == "constant" else num_epochs * num_batches(num_examples, batch_size)
    warn_few_steps(schedule, num_steps)
    hyperparams = Hyperparams(
        *(learning_rate, weight_decay, momentum, clip_norm, max_norm, dropout, input_dropout),
        *(label_smoothing, initial_scale, frequency_scale, b2, deformation, num_steps),
    )
    key, data_key = seed_keys(_seeds(seed, num_seeds))
    run = fit(
        *functions,
        data.train,
        data.validation,
        key=key,
        data_key=data_key,
        hyperparams=_with_defaults(hyperparams, optimizer),
        num_epochs=num_epochs,
        monitor=_choose_monitor(monitor, loss, data),
        patience=patience,
        data_bytes=data_bytes,
        checkpoints=_with_run(checkpoints, about),
        num_snapshots=num_snapshots,
        progress=progress,
    )
    return make_result(splits, scaling, spec, run, loss)


@lru_cache(maxsize=64)
def _make_functions(
    network: Network,
    optimizer: str | optax.GradientTransformation,
    schedule: str,
    rate_multipliers: tuple[tuple[str, float], ...],
    batch_size: int,
    mesh: Mesh | None,
    metrics: tuple[tuple[str, Metric], ...],
) -> tuple[Train, Evaluate]:
    """The same functions for the same arguments, so that what was compiled for them is found again."""
    update = make_optimizer(optimizer, schedule, dict(rate_multipliers))
    train = make_train(network.init_fn, network.loss_fn, update, batch_size, mesh=mesh)
    return vmap_runs(train, make_evaluate(network.predict_fn, dict(metrics)), "key", "data_key")


def _check_types(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        checks.of_type(name, value, *_TYPES[name])


def _weigh_classes(splits: Splits, class_weight: ClassWeight | None) -> Splits:
    if class_weight is None:
        return splits
    train, validation = weigh_parts(splits.train, splits.validation, class_weight)
    return splits._replace(train=train, validation=validation)


def _adapt(network: Network, splits: Splits, start: Model | None, augment: Augment | None) -> Network:
    """The network that begins with the weights of ``start`` and meets images that ``augment`` makes."""
    if augment is not None:
        if splits.train.inputs.ndim < 3:
            shape = splits.train.inputs.shape[1:]
            raise InputError(f"augment: is for images, but an example of {splits.name} has shape {shape}")
        network = with_augmentation(network, augment)
    return network if start is None else with_weights(network, start)


def _with_run(checkpoints: Checkpoints | None, about: Mapping[str, Any]) -> Checkpoints | None:
    """The checkpoints with what shapes the run and is no number, so that ``fit`` does not see it."""

    def text(one: Any) -> str:
        is_code = callable(one) or isinstance(one, optax.GradientTransformation)
        return getattr(one, "__name__", "own") if is_code else repr(one)

    if checkpoints is None:
        return None
    return checkpoints._replace(run={name: text(one) for name, one in about.items()} | dict(checkpoints.run))


def _choose_monitor(monitor: str | None, loss: Loss | None, data: Splits) -> str | None:
    """What was asked for; where no target differs R² is no number, and there the error chooses."""
    _, targets, weights = data.validation
    targets = np.asarray(targets)[... if weights is None else weights > 0]
    undefined = data.task == "regression" and len(targets) and (np.ptp(targets, axis=0) == 0).all()
    return "rmse" if undefined and monitor is None and loss is None else monitor


def _with_defaults(hyperparams: Hyperparams, optimizer: str | optax.GradientTransformation) -> Hyperparams:
    """The hyperparameters, single numbers, with the optimizer's own where none is given."""
    for name, value in hyperparams._asdict().items():
        if np.ndim(value):
            raise InputError(f"{name}: must be one number, got {value!r:.80}; fit_ensemble tries several")
    if not isinstance(optimizer, str):
        return hyperparams
    recipe, rate, decay = get_recipe(optimizer), hyperparams.learning_rate, hyperparams.weight_decay
    return hyperparams._replace(
        learning_rate=recipe.learning_rate if rate is None else rate,
        weight_decay=recipe.weight_decay if decay is None else decay,
    )


def _seeds(seed: int, num_seeds: int) -> range:
    checks.integer("seed", seed, at_least=0)
    return range(seed, seed + checks.integer("num_seeds", num_seeds))
