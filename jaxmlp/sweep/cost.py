"""What a sweep will take, before it starts: memory exactly, time about."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.models import training
from jaxmlp.runtime.devices import num_bytes
from jaxmlp.sweep import programs
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs
from jaxmlp.sweep.programs import make_groups
from jaxmlp.sweep.space import Member
from jaxmlp.train import batching
from jaxmlp.train.streaming import max_data_bytes

# Measured with two cores and rounded; the plan says "about".
_COMPILE_SECONDS, _STEP_SECONDS, _SHARE_OF_PEAK, _PARAMETER_SECONDS = 2.0, 2e-4, 0.5, 1e-9


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


def estimate_cost(splits: Splits, members: Sequence[Member], config: SweepConfig) -> Cost:
    """What ``fit_members`` will take; a matrix product is timed to know this machine."""
    network_of, data = training.prepare_training(splits, config.precision)
    num_examples, peak = len(data.train.inputs), measure_peak()
    share = sum(members_per_epoch(len(members), config.num_epochs, config.halving)) / len(members)
    steps = share * batching.num_batches(num_examples, config.batch_size)
    num_parameters, all_states, largest_chunk, seconds = 0, 0, 0, 0.0
    groups = make_groups(members, network_of, config, num_examples)
    mesh = config.mesh
    num_devices, shares = (mesh.size, mesh.shape["members"]) if mesh else (1, 1)
    for program, own, _ in groups:
        sizes = layer_sizes(splits, program.structure.network.hidden_sizes)
        size = sum((num_inputs + 1) * num_outputs for num_inputs, num_outputs in pairwise(sizes))
        step = _STEP_SECONDS + size * (6 * config.batch_size / (_SHARE_OF_PEAK * peak) + _PARAMETER_SECONDS)
        num_parameters += size * len(own)
        state_bytes = programs.state_bytes(program, own[0])
        all_states += state_bytes * len(own)
        largest_chunk = max(largest_chunk, state_bytes * program.chunk_size)
        seconds += steps * step * len(own)
    states = largest_chunk if program.wait else all_states
    return Cost(
        len(groups),
        num_parameters,
        min(num_bytes(data.train), max_data_bytes(config.data_bytes))
        + num_bytes(data.validation)
        + -(-states // shares),
        _COMPILE_SECONDS * len(groups),
        seconds / num_devices,
        num_devices,
        max(group.program.chunk_size for group in groups),
        program.wait,
    )


def describe_plan(splits: Splits, members: Sequence[Member], settings: SweepConfig) -> None:
    """The plan, before anything starts."""
    parts = ", ".join(
        f"{len(getattr(splits, part).inputs):,} {part}" for part in ("train", "validation", "test")
    )
    kind = f"{len(splits.class_names)} classes" if splits.class_names else "real values"
    print(f"{splits.name}: {parts} examples, {splits.task} ({kind})")
    expected = estimate_cost(splits, members, settings)
    rungs_text = ", ".join(map(str, rung_epochs(settings.num_epochs, settings.halving, len(members))))
    print(
        f"{len(members)} members in {expected.num_programs} programs, {expected.num_parameters:,} "
        f"parameters; cut after epochs {rungs_text or 'none'} of {settings.num_epochs}"
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
    for _ in range(4):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        seconds.append(time.perf_counter() - began)
    # The first one compiles.
    return 2 * size**3 / min(seconds[1:])
