"""What a sweep will take, before it starts: memory exactly, time about."""

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmlp.data.splits import Splits
from jaxmlp.models import training
from jaxmlp.runtime.devices import num_bytes, num_concurrent_calls
from jaxmlp.sweep import programs
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs
from jaxmlp.sweep.programs import make_groups
from jaxmlp.sweep.space import Member
from jaxmlp.train import batching
from jaxmlp.train.streaming import max_data_bytes

# Measured with two cores and rounded; the plan says "about". Of one network a step, what it takes for each of
# its parameters, and how much of a large matrix product's speed is left for small ones.
_COMPILE_SECONDS, _STEP_SECONDS, _SHARE_OF_PEAK, _PARAMETER_SECONDS = 3.5, 1e-5, 0.37, 5e-10


class Cost(NamedTuple):
    """What a sweep will take."""

    num_programs: int
    num_parameters: int
    """Of all members."""
    memory_bytes: int
    """On each device: its members' states and the data; what a step needs is small beside them."""
    compile_seconds: float
    train_seconds: float
    num_devices: int
    num_at_once: int
    """Members of one program that train at the same time, on all devices together, at most."""
    wait: bool
    """Whether members wait for their turn on the host, since the devices cannot hold them all."""


def estimate_cost(splits: Splits, members: Sequence[Member], config: SweepConfig, num_folds: int = 1) -> Cost:
    """What ``fit_members`` will take; a matrix product is timed to know this machine."""
    network_of, data = training.prepare_training(splits, config.precision)
    num_examples, peak = len(data.train.inputs), measure_peak()
    num_folds = 1 if len(data.validation.inputs) else num_folds + data.is_ordered
    alive = members_per_epoch(len(members), config.num_epochs, config.halving, config.schedule)
    share = num_folds * sum(alive) / len(members)
    steps = share * batching.num_batches(num_examples, config.batch_size)
    num_parameters, all_states, largest_chunk, seconds = 0, 0, 0, 0.0
    groups = make_groups(members, network_of, config, num_examples, num_folds)
    mesh = config.mesh
    num_devices, shares = (mesh.size, mesh.shape["members"]) if mesh else (1, 1)
    for program, own, _ in groups:
        size = programs.num_parameters(program, own[0])
        step = _STEP_SECONDS + size * (6 * config.batch_size / (_SHARE_OF_PEAK * peak) + _PARAMETER_SECONDS)
        num_parameters += num_folds * size * len(own)
        state_bytes = num_folds * programs.state_bytes(program, own[0])
        all_states += state_bytes * len(own)
        largest_chunk = max(largest_chunk, state_bytes * program.chunk_size)
        seconds += steps * step * len(own)
    states = largest_chunk if program.wait else all_states
    return Cost(
        len(groups),
        num_parameters,
        _data_bytes(data, config, num_folds) + -(-states // shares),
        _COMPILE_SECONDS * math.ceil(len(groups) / num_concurrent_calls()),
        seconds / num_devices,
        num_devices,
        max(group.program.chunk_size for group in groups),
        program.wait,
    )


def _data_bytes(data: Splits, config: SweepConfig, num_folds: int) -> int:
    """Of what is learnt from, what is held out, and how much each example counts in each fold."""
    num_examples, weight_bytes = len(data.train.inputs), jnp.zeros(()).nbytes
    num_held_out = len(data.validation.inputs) or num_folds * -(-num_examples // num_folds)
    size = num_bytes(data.train[:2])
    learnt = size + num_folds * num_examples * weight_bytes
    held_out = num_held_out * (size // num_examples + weight_bytes)
    return min(learnt, max_data_bytes(config.data_bytes)) + held_out


def describe_plan(splits: Splits, members: Sequence[Member], settings: SweepConfig, num_folds: int) -> None:
    """The plan, before anything starts."""
    sizes = {part: len(getattr(splits, part).inputs) for part in ("train", "validation", "test")}
    parts = ", ".join(f"{size:,} {part}" for part, size in sizes.items() if size)
    kind = f"{len(splits.class_names)} classes" if splits.class_names else "real values"
    rows = "" if splits.blocks is None else f"; {splits.blocks.describe()}"
    print(f"{splits.name}: {parts} examples, {splits.task} ({kind}){rows}")
    expected = estimate_cost(splits, members, settings, num_folds)
    rungs = rung_epochs(settings.num_epochs, settings.halving, len(members), settings.schedule)
    cut = f", some cut after epochs {', '.join(map(str, rungs))}" if rungs else ""
    folds = "" if sizes["validation"] else f", each without one of {num_folds} folds in turn"
    if folds and splits.is_ordered:
        folds = f", each on what is before each of {num_folds} stretches of time, and on all"
    programs_text = "one program" if expected.num_programs == 1 else f"{expected.num_programs} programs"
    budget = settings.time_budget
    fitted = "" if budget is None else f", or as many as fit into {budget / 60:g} min"
    settings_text = "1 setting" if len(members) == 1 else f"{len(members)} settings"
    print(
        f"{settings_text}{folds}, {expected.num_parameters:,} parameters in {programs_text}; "
        f"{settings.num_epochs} epochs{fitted}{cut}"
    )
    where = f" on each of {expected.num_devices} devices" if expected.num_devices > 1 else ""
    turns = "; members wait for their turn on the host" if expected.wait else ""
    print(
        f"expected: {expected.memory_bytes / 1e9:.2f} GB of memory{where}, about "
        f"{expected.compile_seconds:.0f} s to compile and {expected.train_seconds / 60:.1f} min to train, "
        f"{expected.num_at_once} at a time at most{turns}",
        flush=True,
    )


def measure_peak(size: int = 768) -> float:
    """Floating-point operations per second of a square matrix product on the default device."""
    matrix = jnp.ones((size, size))
    product = jax.jit(jnp.matmul)
    seconds = []
    # The first one compiles, and among few all may meet threads that are only waking up.
    for _ in range(20):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)
