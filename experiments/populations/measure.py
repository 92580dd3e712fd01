"""The time of an epoch in every way, and the race between two sweeps."""

import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from experiments.benchmark.peers.torch import torch
from experiments.benchmark.work import Data, Work
from jaxmlp.data.folds import single_fold
from jaxmlp.data.splits import Splits, layer_sizes, standardize
from jaxmlp.models.training import prepare_training
from jaxmlp.sweep import loop, search
from jaxmlp.sweep.chunks import advance_chunk, compile_ahead
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.cost import measure_peak
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Member, Range
from jaxmlp.train.population import seed_keys

if TYPE_CHECKING:
    from experiments.populations.__main__ import Config

SPACE = {
    "depth": Choice((1,)),
    "activation": Choice(("relu",)),
    "optimizer": Choice(("adamw",)),
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "weight_decay": Range(1e-4, 1e-1, log=True),
}


def cost(
    config: "Config", splits: Splits, space: Any
) -> tuple[dict[str, list[float]], dict[int, float], list[float]]:
    """Seconds of an epoch per member, of each way and size, memory of each size, and the machine's peak."""
    ways: dict[str, Callable[[], float]] = {}
    memory = {}
    for size in config.sizes:
        ways[str(size)] = population_epoch(config, splits, draw_members(space, size, max_programs=1))
        memory[size] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    alone = draw_members(space, config.num_members, max_programs=1)
    ways["one after another"] = population_epoch(config, splits, alone[:4], chunk_size=1)
    ways[f"race of {config.num_members}"] = population_epoch(config, splits, alone)
    if find_spec("torch"):
        ways["PyTorch"] = torch_epoch(config, splits, alone[0])
    else:
        print("PyTorch is not installed and is left out")
    times: dict[str, list[float]] = {name: [] for name in ways}
    peaks = []
    for _ in range(config.num_seeds):
        peaks.append(measure_peak(1536))
        for name, epoch in ways.items():
            times[name].append(epoch())
    return times, memory, peaks


def population_epoch(
    config: "Config", splits: Splits, members: list[Member], chunk_size: int | None = None
) -> Callable[[], float]:
    """A function that trains ``members`` for an epoch, compiled here; it says the seconds per member."""
    settings = SweepConfig(splits.task, batch_size=config.batch_size, halving=None, chunk_size=chunk_size)
    network_of, data = prepare_training(splits)
    folds = single_fold(data.train, data.validation)
    chunks = loop.init_sweep(members, network_of, settings, folds).chunks
    _, (data_key,) = seed_keys([0])
    dataset, validation = jax.device_put((folds.train, folds.held_out))
    with compile_ahead(chunks, dataset, validation, data_key) as find:
        advance = find(chunks[0])

    def epoch() -> float:
        began = time.perf_counter()
        for index, chunk in enumerate(chunks):
            chunks[index], _ = advance_chunk(chunk, advance, 1)
        return (time.perf_counter() - began) / len(members)

    epoch()
    return epoch


def torch_epoch(config: "Config", splits: Splits, member: Member) -> Callable[[], float]:
    """The same for one network in PyTorch, with its fused AdamW."""
    rate, decay = (float(value) for value in member.hyperparams[:2] if value is not None)
    sizes = tuple(layer_sizes(splits, (config.hidden_size,)))
    work = Work(sizes, config.batch_size, learning_rate=rate)
    arrays = [np.asarray(array) for part in standardize(splits)[:2] for array in part[:2]]
    trainer = torch(work, Data(*arrays), weight_decay=decay)

    def epoch() -> float:
        began = time.perf_counter()
        trainer.epoch()
        trainer.accuracy()
        return time.perf_counter() - began

    epoch()
    return epoch


def race(config: "Config", splits: Splits, space: Any) -> list[dict[str, float]]:
    """For each repetition the seconds until a validation accuracy within 0.1 point of the full sweep's best,
    and those of the whole sweep, with halving and without. What is compiled is compiled before.
    """
    settings = SweepConfig(splits.task, num_epochs=config.num_epochs, batch_size=config.batch_size)
    races = []
    for seed in config.seeds:
        members = draw_members(space, config.num_members, max_programs=1, seed=seed)
        found = {}
        for name, factor in {"full": None, "halving": config.halving}.items():
            options = settings._replace(halving=factor, seed=seed)
            found[name] = search.fit_members(splits, members, options, progress=config.progress).sweep
        highest = {name: np.nanmax(swept.history["validation_accuracy"]) for name, swept in found.items()}
        goal = highest["full"] - 0.001
        result = {"difference": float(highest["halving"] - highest["full"])}
        for name, swept in found.items():
            best = np.nanmax(swept.history["validation_accuracy"], axis=0)
            reached = np.flatnonzero(best >= goal)
            # Known when all came to the next choice of the ensemble.
            seconds = np.array(swept.ensemble_history["seconds"]) - swept.seconds["compile"]
            chosen = np.searchsorted(swept.ensemble_history["epochs"], 1 + reached[:1])
            # The last choice is at the end, whichever epoch it is of.
            result[name] = float(seconds[min(chosen[0], len(seconds) - 1)]) if len(reached) else np.nan
            result[f"{name}_total"] = float(seconds[-1])
        races.append(result)
    return races
