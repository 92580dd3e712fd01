"""Sixty neurons watched as they learn: how alike neighbouring pixels are, and what removing neurons costs."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmlp import Network, Splits, Train, make_evaluate, make_optimizer, make_train
from jaxmlp.nn import metrics
from jaxmlp.nn.neurons import autocorrelation_of_neurons
from jaxmlp.runtime.compilation import compile_for
from jaxmlp.train import population
from jaxmlp.train.divergence import failure_message
from jaxmlp.train.epoch import epoch_index
from jaxmlp.types import Dataset, Hyperparams, Numbers, Params, PyTree

if TYPE_CHECKING:
    from experiments.neurons.__main__ import Config

ACCURACY = {"accuracy": metrics.CLASSIFICATION["accuracy"]}
ORDERS = ("static_first", "strokes_first", "smallest_outgoing_weights_first", "random_order")
Tables = dict[str, Any]


def settings(config: "Config") -> dict[str, Hyperparams]:
    """The hyperparameters to compare; the first have neither weight decay nor dropout."""
    base = Hyperparams(config.learning_rate, weight_decay=0.0, dropout=0.0)
    decays = {f"weight decay {value:g}": base._replace(weight_decay=value) for value in config.weight_decay}
    return {"neither": base, **decays, **{f"dropout {v:g}": base._replace(dropout=v) for v in config.dropout}}


def train(
    config: "Config", splits: Splits, network: Network
) -> tuple[Tables, list[Params], dict[str, float]]:
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
    parts += [splits.train] * (config.num_epochs - 1)
    hyperparams = jax.tree.map(lambda *values: jnp.array(values), *settings(config).values())
    clock, neurons, accuracy, networks = [time.perf_counter()], [], [], []
    for params in moments(moves, parts, *population.seed_keys(config.seeds), hyperparams):
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


def moments(
    train: Train, parts: Sequence[Dataset], key: Any, data_key: Any, hyperparams: PyTree
) -> Iterator[PyTree]:
    """The parameters at the start, then after training once on each of ``parts``; all is compiled before.
    FloatingPointError when no loss is finite any more."""
    state = jax.jit(train.start)(key, hyperparams)
    advance, eval_params = jax.jit(train.advance), jax.jit(train.eval_params)
    programs = [compile_for(advance, state, hyperparams, part, epoch_index(0), data_key) for part in parts]
    yield eval_params(state, hyperparams)
    for index, (program, part) in enumerate(zip(programs, parts, strict=True)):
        state, info = program(state, hyperparams, part, epoch_index(index), data_key)
        if not np.any(np.isfinite(info.loss)):
            raise FloatingPointError(failure_message(info, index))
        yield eval_params(state, hyperparams)


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
