"""What a sweep will take, before it starts: memory exactly, time about."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmlp import batching, datasets, mlp
from jaxmlp.datasets import Splits
from jaxmlp.halving import planned
from jaxmlp.optimizers import make_optimizer
from jaxmlp.space import Member, Structure, groups
from jaxmlp.sweep_loop import Settings, steps_of

# Measured with two cores and rounded; the plan says "about".
_COMPILE_SECONDS, _STEP_SECONDS, _SHARE_OF_PEAK, _PARAMETER_SECONDS = 3.5, 2e-4, 0.5, 1e-9


class Plan(NamedTuple):
    """What a sweep will take."""

    num_programs: int
    num_parameters: int
    """Of all members."""
    memory_bytes: int
    """Of the members' states and the data; what a step needs comes on top, and is small beside them."""
    compile_seconds: float
    train_seconds: float


def plan(splits: Splits, members: Sequence[Member], settings: Settings) -> Plan:
    """What the sweep of ``members`` will take; a matrix product is timed to know this machine."""
    peak, num_examples = measured_peak(), len(splits.train.inputs)
    share = sum(planned(len(members), settings.num_epochs, settings.halving)) / len(members)
    num_parameters, memory, seconds = 0, sum(leaf.nbytes for leaf in jax.tree.leaves(splits[:2])), 0.0
    grouped = groups(members)
    for structure, numbers in grouped.items():
        sizes = datasets.layer_sizes(splits, structure.hidden_sizes)
        size = sum((num_inputs + 1) * num_outputs for num_inputs, num_outputs in pairwise(sizes))
        num_parameters += size * len(numbers)
        memory += state_bytes(structure, sizes, members[numbers[0]], settings) * len(numbers)
        steps = batching.num_batches(num_examples, settings.batch_size)
        step = _STEP_SECONDS + size * (6 * settings.batch_size / (_SHARE_OF_PEAK * peak) + _PARAMETER_SECONDS)
        seconds += share * steps * step * len(numbers)
    return Plan(len(grouped), num_parameters, memory, _COMPILE_SECONDS * len(grouped), seconds)


def state_bytes(structure: Structure, layer_sizes: Sequence[int], member: Member, settings: Settings) -> int:
    """What one member keeps between two steps: parameters, the best so far, and the optimizer's state."""
    optimizer, _ = make_optimizer(structure.optimizer, settings.schedule)(
        member.hyperparams._replace(num_steps=steps_of(settings, 1))
    )
    params = jax.eval_shape(lambda key: mlp.init(key, layer_sizes), jax.random.key(0))
    leaves = jax.tree.leaves((params, params, jax.eval_shape(optimizer.init, params)))
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)


def measured_peak(size: int = 768) -> float:
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
