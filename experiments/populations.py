"""What does a population of networks cost, compared with its members one after another?

    python -m experiments.populations

trains 784-60-10 on MNIST with AdamW, learning rate, weight decay and seed different in every member: one
after another with this library and, where PyTorch is installed, with its fused AdamW; and as populations of 1
to 1024 members. Then a sweep of 64 members with successive halving races the same sweep without it to a
validation accuracy within 0.1 point of the best. Repetitions are interleaved. runs/populations then holds
the record and pictures.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks
from jaxmlp.data.folds import single_fold
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.models.training import prepare_training
from jaxmlp.plots import charts
from jaxmlp.statistics import format_mean, summarize
from jaxmlp.sweep import loop, search
from jaxmlp.sweep.chunks import advance_chunk, compile_ahead
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.cost import measure_peak
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Member, Range
from jaxmlp.train.population import seed_keys

SPACE = {
    "depth": Choice((1,)),
    "activation": Choice(("relu",)),
    "optimizer": Choice(("adamw",)),
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "weight_decay": Range(1e-4, 1e-1, log=True),
}


@dataclass(frozen=True)
class Config(receipt.ImageConfig):
    num_seeds: int = 5
    """Repetitions of each timing, and races."""
    sizes: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    """Members of the populations that are timed."""
    hidden_size: int = 60
    """Neurons of the hidden layer."""
    batch_size: int = 128
    """Images per step."""
    num_members: int = 64
    """Members of the population that races, and of the sweeps."""
    num_epochs: int = 20
    """Passes through the training data in the race between sweeps."""
    halving: int = 4
    """At each rung of the race one member in so many goes on, for so many times as long."""


def run(config: Config) -> None:
    """Time, race, record and draw."""
    checks.each("sizes", config.sizes, checks.integer)
    for name in ("hidden_size", "batch_size", "num_members", "num_epochs"):
        checks.integer(name, getattr(config, name))
    checks.integer("halving", config.halving, at_least=2)
    begun = receipt.begin(config)
    splits = receipt.load(config, validation_fraction=0.2)
    sizes = config.sizes[:2] if config.smoke else config.sizes
    space = SPACE | {"hidden_sizes": Choice((config.hidden_size,))}
    times, memory, peak = cost(config, splits, space, sizes)
    races = race(config, splits, space)
    measured = measures(config, splits, times, memory, peak, races)
    receipt.finish(begun, config, dataset=splits.name, metrics=measured, notes={"varied": "repetition"})
    plot(begun.folder, config, splits, times, memory, peak)
    for name, (values, unit) in measured.items():
        mean, error, _, _ = summarize(values)
        print(f"{name.replace('_', ' ')}: {format_mean(mean, error, unit)}")


def cost(
    config: Config, splits: Splits, space: Any, sizes: tuple[int, ...]
) -> tuple[dict[str, list[float]], dict[int, float], list[float]]:
    """Seconds of an epoch per member, of each way and size, memory of each size, and the machine's peak."""
    ways: dict[str, Callable[[], float]] = {}
    memory = {}
    for size in sizes:
        ways[str(size)] = population_epoch(config, splits, draw_members(space, size, max_programs=1))
        memory[size] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    alone = draw_members(space, config.num_members, max_programs=1)
    ways["one after another"] = population_epoch(config, splits, alone[:4], chunk_size=1)
    ways[f"race of {config.num_members}"] = population_epoch(config, splits, alone)
    torch = torch_epoch(config, splits, alone[0])
    if torch is None:
        print("PyTorch is not installed and is left out")
    else:
        ways["PyTorch"] = torch
    times: dict[str, list[float]] = {name: [] for name in ways}
    peaks = []
    for _ in range(config.num_seeds):
        peaks.append(measure_peak(1536))
        for name, epoch in ways.items():
            times[name].append(epoch())
    return times, memory, peaks


def population_epoch(
    config: Config, splits: Splits, members: list[Member], chunk_size: int | None = None
) -> Callable[[], float]:
    """A function that trains ``members`` for an epoch, compiled here; it says the seconds per member."""
    settings = SweepConfig(splits.task, batch_size=config.batch_size, halving=None, chunk_size=chunk_size)
    network_of, data = prepare_training(splits)
    folds = single_fold(data.train, data.validation)
    chunks = loop.init_sweep(members, network_of, settings, folds).chunks
    _, (data_key,) = seed_keys([0])
    dataset, validation = jax.device_put(folds)
    with compile_ahead(chunks, dataset, validation, data_key) as find:
        advance = find(chunks[0])

    def epoch() -> float:
        began = time.perf_counter()
        for index, chunk in enumerate(chunks):
            chunks[index], _ = advance_chunk(chunk, advance, 1)
        return (time.perf_counter() - began) / len(members)

    epoch()
    return epoch


def torch_epoch(config: Config, splits: Splits, member: Member) -> Callable[[], float] | None:
    """The same for one network in PyTorch, with its fused AdamW; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    largest = float(splits.train.inputs.max())
    inputs, validation = (
        torch.from_numpy(part.inputs.reshape(len(part.inputs), -1)).float() / largest
        for part in (splits.train, splits.validation)
    )
    labels = torch.from_numpy(splits.train.targets).long()
    _, *_, num_outputs = layer_sizes(splits, ())
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], config.hidden_size),
        torch.nn.ReLU(),
        torch.nn.Linear(config.hidden_size, num_outputs),
    )
    rate, decay = (float(value) for value in (member.hyperparams[:2]) if value is not None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)
    loss_fn = torch.nn.CrossEntropyLoss()

    def epoch() -> float:
        began = time.perf_counter()
        for rows in torch.randperm(len(inputs)).split(config.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_fn(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
        with torch.inference_mode():
            model(validation).argmax(dim=1)
        return time.perf_counter() - began

    epoch()
    return epoch


def race(config: Config, splits: Splits, space: Any) -> list[dict[str, float]]:
    """For each repetition the seconds until a validation accuracy within 0.1 point of the full sweep's best,
    and those of the whole sweep, with halving and without. What is compiled is compiled before.
    """
    num_epochs = 2 if config.smoke else config.num_epochs
    settings = SweepConfig(splits.task, num_epochs=num_epochs, batch_size=config.batch_size)
    races = []
    for seed in receipt.seeds(config):
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
            result[name] = float(seconds[chosen[0]]) if len(reached) else np.nan
            result[f"{name}_total"] = float(seconds[-1])
        races.append(result)
    return races


def measures(
    config: Config,
    splits: Splits,
    times: dict[str, list[float]],
    memory: dict[int, float],
    peaks: list[float],
    races: list[dict[str, float]],
) -> dict[str, Any]:
    """Ratios of the same repetition, and the figures that they come from; halving is compared where it
    reached what the full sweep did.
    """
    members = np.array(times[f"race of {config.num_members}"])
    measured: dict[str, Any] = {}
    measured["ratio_one_after_another"] = np.array(times["one after another"]) / members, "1"
    if "PyTorch" in times:
        measured["ratio_pytorch"] = np.array(times["PyTorch"]) / members, "1"
    columns = {name: np.array([race[name] for race in races]) for name in races[0]}
    reached = np.isfinite(columns["halving"])
    measured["halving_reached"] = reached.astype(float), "fraction"
    measured["ratio_halving"] = (columns["full"] / columns["halving"])[reached], "1"
    measured["ratio_halving_total"] = columns["full_total"] / columns["halving_total"], "1"
    measured["halving_minus_full_validation_accuracy"] = columns["difference"], "fraction"
    measured |= {f"{name}_sweep_time": (columns[f"{name}_total"], "s") for name in ("full", "halving")}
    for name, seconds in times.items():
        measured[f"epoch_per_member_{name.replace(' ', '_')}".lower()] = 1000 * np.array(seconds), "ms"
    measured |= {f"memory_{size}": ([gigabytes], "GB") for size, gigabytes in memory.items()}
    measured["peak"] = np.array(peaks) / 1e9, "GFLOP/s"
    measured["limit_per_member"] = 1000 * limit(config, splits) / np.array(peaks), "ms"
    return {name: (values, unit) for name, (values, unit) in measured.items() if len(values)}


def limit(config: Config, splits: Splits) -> float:
    """The floating-point operations of the matrix products of one member's epoch: forward, backward to the
    weights of both layers and to the hidden layer, and the validation.
    """
    num_inputs, num_outputs = layer_sizes(splits, ())
    first, second = num_inputs * config.hidden_size, config.hidden_size * num_outputs
    training = len(splits.train.inputs) * (2 * first + 3 * second)
    return 2 * (training + len(splits.validation.inputs) * (first + second))


def plot(
    folder: Path,
    config: Config,
    splits: Splits,
    times: dict[str, list[float]],
    memory: dict[int, float],
    peaks: list[float],
) -> None:
    """Time and memory against the number of members, with the time of the matrix products alone."""
    sizes = list(memory)
    per_member = np.array([times[str(size)] for size in sizes]).T * 1000
    products = 1000 * np.outer(limit(config, splits) / np.array(peaks), np.ones(len(sizes)))
    lines: dict[str, Any] = {
        "a population": (sizes, per_member),
        "its matrix products at this machine's peak": (sizes, products),
    }
    for name in ("one after another", "PyTorch"):
        if name in times:
            lines[name] = sizes, 1000 * np.outer(times[name], np.ones(len(sizes)))
    charts.line_plot(
        {"": lines},
        folder / "time.png",
        xlabel="members",
        ylabel="milliseconds of an epoch per member",
        log_x=True,
        log_y=True,
        title="The time of a member, the more train at once",
    )
    charts.line_plot(
        {"": {"memory": (sizes, [list(memory.values())])}},
        folder / "memory.png",
        xlabel="members",
        ylabel="GB, the largest so far",
        log_x=True,
        title="Memory of the whole process",
    )


if __name__ == "__main__":
    main(Config, run)
