"""The three forms in training, on equal terms, and what a step costs in two ways."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

import jaxmlp
from experiments.cnn.network import lax_convolution, make_cnn, moving, patches_times_matrix
from experiments.harness.answers import Measures
from experiments.harness.training import epoch_timer, make_network
from jaxmlp import Network, fit
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.nn import metrics
from jaxmlp.train import batching
from jaxmlp.train.state import Evaluate, RunResult
from jaxmlp.types import Dataset, Hyperparams

if TYPE_CHECKING:
    from experiments.cnn.__main__ import Config

DROPOUT = 0.5
OPTIMIZER = jaxmlp.make_optimizer("adam", "one_cycle")


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


def enter(config: "Config", name: str, network: Network, dropout: float | None) -> Form:
    train = jaxmlp.make_train(network.init_fn, network.loss_fn, OPTIMIZER, config.batch_size)
    evaluate = jaxmlp.make_evaluate(network.predict_fn, {"accuracy": metrics.CLASSIFICATION["accuracy"]})
    return Form(name, train, evaluate, dropout)


def train(config: "Config", splits: Splits, form: Form, num_epochs: int, runs: Sequence[int]) -> Outcome:
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
    config: "Config", splits: Splits, hidden_sizes: tuple[int, ...], dropout: float | None, seconds: float
) -> Outcome:
    """Perceptrons that train for ``seconds`` each, on moved images if these gave one of them, of the first
    seed, the better validation accuracy. It has the same time: in a shorter one still images may do better.
    """
    sizes, still = layer_sizes(splits, hidden_sizes), make_network(splits, hidden_sizes)
    networks = {"moved": moving(still, config)} | ({} if config.smoke else {"still": still})
    trials, first = [], [config.seed]
    for word, network in networks.items():
        form = enter(config, f"{'-'.join(map(str, sizes))}, images {word}", network, dropout)
        short = train(config, splits, form, config.num_epochs, first)
        num_epochs = max(1, round(config.num_epochs * seconds / float(np.sum(short.fit.seconds["train"]))))
        trials.append(train(config, splits, form, num_epochs, first))
    tried = {trial.form.name: float(trial.fit.history["validation_accuracy"].max()) for trial in trials}
    best = max(trials, key=lambda trial: tried[trial.form.name])
    num_epochs = best.fit.history["validation_accuracy"].shape[1]
    return train(config, splits, best.form, num_epochs, config.seeds)._replace(tried=tried)


def step_times(config: "Config", splits: Splits) -> Measures:
    """The time of a training step both ways: the mean of four, measured as often as there are epochs."""
    size = 4 * config.batch_size
    few = jax.tree.map(lambda values: np.resize(values, (size, *values.shape[1:])), splits.train)
    hyperparams = Hyperparams(config.learning_rate, dropout=DROPOUT, num_steps=1000)
    times = {}
    for name, convolve in {"patches": patches_times_matrix, "lax": lax_convolution}.items():
        form = enter(config, name, make_cnn(config, splits, convolve), DROPOUT)
        epoch = epoch_timer(form.train, few, hyperparams)
        times[name] = 1000 * np.array([epoch() for _ in range(config.num_epochs)]) / 4
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
