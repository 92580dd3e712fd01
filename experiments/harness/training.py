"""Networks for data, the training of all seeds at all learning rates as one program, an epoch's time, and
what a population puts out.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

import jaxmlp
from experiments.harness.flags import TrainingConfig
from jaxmlp import Dataset, Hyperparams, Network, Train
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.nn.mlp import Activation
from jaxmlp.train.epoch import epoch_index
from jaxmlp.types import AnyArray, PyTree


def make_network(
    splits: Splits, hidden_sizes: Sequence[int] = (), activation: Activation = jax.nn.relu
) -> Network:
    """The perceptron for the data, which scales inputs as the training part asks for."""
    affine = jaxmlp.fit_affine(splits.train.inputs)
    return jaxmlp.make_network(layer_sizes(splits, hidden_sizes), splits.task, affine, activation=activation)


def all_rates(
    config: TrainingConfig,
    rates: Sequence[float] | np.ndarray,
    base: Hyperparams | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What ``tune`` and ``fit_population`` take to train every seed at every learning rate."""
    return {
        "seeds": config.seeds,
        "hyperparams": jaxmlp.grid(base or Hyperparams(), learning_rate=np.asarray(rates).tolist()),
        "batch_size": config.batch_size,
        "num_epochs": config.num_epochs,
        "progress": config.progress,
    } | options


def total_seconds(parts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds of compiling and training, of all parts of an experiment together."""
    parts = list(parts)
    return {key: float(sum(np.sum(part[key]) for part in parts)) for key in ("compile", "train")}


def epoch_timer(train: Train, dataset: Dataset, hyperparams: Hyperparams) -> Callable[[], float]:
    """A function that trains one network for an epoch, by a program compiled here, and gives the seconds."""
    dataset = jax.device_put(dataset)
    key, data_key = jax.random.split(jax.random.key(0))
    state, advance = jax.jit(train.start)(key, hyperparams), jax.jit(train.advance, donate_argnums=0)

    def epoch() -> float:
        nonlocal state
        began = time.perf_counter()
        state, _ = jax.block_until_ready(advance(state, hyperparams, dataset, epoch_index(0), data_key))
        return time.perf_counter() - began

    epoch()
    return epoch


def population_logits(
    network: Network, params: PyTree, inputs: Shaped[AnyArray, "examples ..."], model_state: PyTree = ()
) -> Float[np.ndarray, "members examples outputs"]:
    """What each member of a population, along the first axis of ``params``, puts out for each example."""
    of_one = jax.vmap(network.predict_fn, in_axes=(None, None, 0))
    of_all = jax.jit(jax.vmap(of_one, in_axes=(0, 0, None)))
    return np.asarray(of_all(params, model_state, jnp.asarray(inputs)))
