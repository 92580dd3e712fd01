"""The programs that train the members of a sweep, one for each structure."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from jaxmlp import checks
from jaxmlp.nn.metrics import METRICS, Metric
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.runtime.devices import (
    check_memory,
    device_memory_bytes,
    num_bytes,
    num_concurrent_calls,
    sharding,
)
from jaxmlp.sweep.config import SweepConfig, num_schedule_steps
from jaxmlp.sweep.halving import members_per_epoch
from jaxmlp.sweep.space import Member, Structure, group_by_structure
from jaxmlp.train.epoch import RunFunctions, make_init
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.schedules import warn_few_steps
from jaxmlp.train.state import Evaluate, FitState, Train
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import AnyMesh, Dataset, Hyperparams, InputError

# What a chunk's work takes, in sizes of its state: the state, its gradients and updates, an evaluation.
_ROOM = 5
# Measured with two cores: what every step of a chunk costs, in what it costs for each of its members; the
# members after which more of them gain little; the width from which none gain.
_CALL_MEMBERS, _MOST, _WIDE = 1.5, 16, 128


class Program(NamedTuple):
    """What trains the members of one structure, ``chunk_size`` at a time, spread over a ``mesh`` if there is
    one; where they ``wait`` their turn on the host, only one chunk is on the device.
    """

    structure: Structure
    run: RunFunctions
    chunk_size: int = 1
    wait: bool = False

    @property
    def mesh(self) -> AnyMesh | None:
        return self.run.train.mesh


class Group(NamedTuple):
    """The members of one program, and what they are called."""

    program: Program
    members: Sequence[Member]
    numbers: Sequence[int]


def make_program(structure: Structure, train: Train, evaluate: Evaluate) -> Program:
    """The program of one structure, whose members have the same folds, from the functions of a single run."""
    train, evaluate = vmap_runs(*vmap_runs(train, evaluate, "key", "folds"), "key", "hyperparams")
    return Program(structure, RunFunctions(train, evaluate, None, sharding(train.mesh, "members")))


def with_chunk_sizes(
    groups: Sequence[Group], alive: Sequence[float] = (1.0,), num_folds: int = 1
) -> list[Group]:
    """The groups with the number of members that each is to train at once, and whether they have to wait.
    ``alive`` is the share of all members that train in each epoch; each is a network for each fold.

    A CPU gains from small networks, whose steps are many small products, as long as few places are those of
    members that were cut, and loses from wide ones, whose parameters no longer rest in its cache. Another
    device takes as many as its memory holds; where it holds less than twice the states of all members, they
    wait on the host.
    """
    memory, wait, shares = device_memory_bytes(), False, _num_shares(groups[0].program)
    sizes = [num_folds * state_bytes(g.program, g.members[0]) for g in groups]
    total = sum(n * len(g.members) for n, g in zip(sizes, groups, strict=True)) // shares
    if memory is None:
        check_memory(total)
        share = math.ceil(sum(len(g.members) for g in groups) / num_concurrent_calls())
        most = [min(share, _cheapest_size(group, alive, num_folds)) for group in groups]
    else:
        check_memory(max(sizes))
        most = [max(1, int(memory // (_ROOM * size))) for size in sizes]
        wait = 2 * total > memory
    fits = []
    for group, at_once in zip(groups, most, strict=True):
        size = shares * _even_size(math.ceil(len(group.members) / shares), at_once)
        fits.append(group._replace(program=group.program._replace(chunk_size=size, wait=wait)))
    return fits


def _cheapest_size(group: Group, alive: Sequence[float], num_folds: int) -> int:
    """Members that train at once on a CPU, at the least cost of all epochs."""
    if max(group.program.structure.network.hidden_sizes, default=0) > _WIDE:
        return 1
    expected = len(group.members) * np.array(alive)

    def cost(size: int) -> float:
        # Fewer members than one: that somebody is left at all.
        num_chunks = np.maximum(expected / size, np.minimum(expected, 1))
        return float(num_chunks.sum() * (_CALL_MEMBERS + size * num_folds))

    return min(range(1, max(1, _MOST // num_folds) + 1), key=cost)


def _num_shares(program: Program) -> int:
    """Devices that a chunk's members are spread over."""
    return program.mesh.shape["members"] if program.mesh else 1


def _even_size(num_members: int, most: int) -> int:
    """Members in each chunk of ``most`` at most: a last one of few would cost as much as a full one."""
    return math.ceil(num_members / math.ceil(num_members / most))


def fold_keys(seeds: Sequence[int], num_folds: int) -> Key[Array, "members folds"]:
    """Of members of these seeds, the key of the network of each fold."""
    key, _ = seed_keys(seeds)
    return jax.vmap(lambda own: jax.random.split(own, num_folds))(key)


def state_bytes(program: Program, member: Member) -> int:
    """What a member takes for each fold between two epochs."""
    return num_bytes(_state_shapes(program.run.train, jax.tree.structure(member.hyperparams)))


def num_parameters(program: Program, member: Member) -> int:
    """What a member trains for each fold."""
    state = _state_shapes(program.run.train, jax.tree.structure(member.hyperparams))
    return sum(leaf.size for leaf in jax.tree.leaves(state.train.params))


@lru_cache(maxsize=64)
def _state_shapes(train: Train, structure: Any) -> FitState:
    # Not the program's own ``make_init``, which may spread members over more devices than one member fills.
    hyperparams = jax.tree.unflatten(structure, [jnp.zeros(1)] * structure.num_leaves)
    return jax.eval_shape(
        make_init(train, keeps_best=False), jax.eval_shape(lambda: fold_keys([0], 1)), hyperparams
    )


def make_groups(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    config: SweepConfig,
    num_examples: int,
    num_folds: int,
) -> list[Group]:
    """The members of each structure, with its program."""
    num_steps = num_schedule_steps(config, num_examples)
    made = []
    for structure, numbers in group_by_structure(members).items():
        own = [members[number] for number in numbers]
        own = [m._replace(hyperparams=m.hyperparams._replace(num_steps=num_steps)) for m in own]
        network = network_of(structure.network)
        options = config.task, config.schedule, config.batch_size, config.mesh
        program = _cached_program(structure, network, *options)
        made.append(Group(program, own, numbers))
    alive = members_per_epoch(len(members), config.num_epochs, config.halving, config.schedule)
    made = with_chunk_sizes(made, (np.array(alive) / len(members)).tolist(), num_folds)
    if config.chunk_size is not None:
        made = [g._replace(program=g.program._replace(chunk_size=config.chunk_size)) for g in made]
    return made


@lru_cache(maxsize=64)
def _cached_program(
    structure: Structure,
    network: Network,
    task: str,
    schedule: str,
    batch_size: int,
    mesh: AnyMesh | None,
) -> Program:
    """The same program for the same arguments, so that what was compiled for it is found again."""
    optimizer = make_optimizer(structure.optimizer, schedule)
    return make_program(
        structure,
        make_train(network.init_fn, network.loss_fn, optimizer, batch_size, mesh=mesh),
        make_evaluate(network.predict_fn, METRICS[task] | {"outputs": Metric(_outputs)}),
    )


def _outputs(
    outputs: Float[Array, "examples outputs"], targets: Shaped[Array, "examples ..."]
) -> Float[Array, "examples outputs"]:
    """What is reported to choose from."""
    return outputs


class Chunk(NamedTuple):
    """Members that advance together. The last of a program's chunks is filled up with copies of its last
    member, which nobody looks at.
    """

    program: Program
    members: tuple[int, ...]
    hyperparams: Hyperparams
    state: FitState
    epoch: int = 0
    """The one that comes next."""
    pace: int = 1
    """Epochs of its next call."""


def check_config(config: SweepConfig, members: Sequence[Member], dataset: Dataset) -> None:
    """Raises InputError for config or members that cannot be, before anything is compiled."""
    checks.known_name("task", config.task, METRICS)
    for name in ("num_epochs", "batch_size", "max_ensemble"):
        checks.integer(name, getattr(config, name))
    checks.integer("max_candidates", 1 if config.max_candidates is None else config.max_candidates)
    checks.integer("seed", config.seed, at_least=0)
    checks.integer("halving", 2 if config.halving is None else config.halving, at_least=2)
    checks.integer("chunk_size", 1 if config.chunk_size is None else config.chunk_size)
    shares = config.mesh.shape["members"] if config.mesh else 1
    if (config.chunk_size or 0) % shares:
        raise InputError(
            f"chunk_size: must be a multiple of the {shares} devices for members, got {config.chunk_size}"
        )
    if config.time_budget is not None:
        checks.positive("time_budget", config.time_budget)
    if not members:
        raise InputError("members: must hold at least one, got none")
    checks.dataset_shapes(dataset, config.batch_size)
    for member in members:
        checks.hyperparams(member.hyperparams)
        hyperparams = member.hyperparams._replace(num_steps=1)
        make_optimizer(member.structure.optimizer, config.schedule)(hyperparams)
    warn_few_steps(config.schedule, num_schedule_steps(config, len(dataset.inputs)))
    for numbers in group_by_structure(members).values():
        _check_alike([members[number].hyperparams for number in numbers])


def _check_alike(settings: Sequence[Hyperparams]) -> None:
    """Members of one structure have the same hyperparameters, which their program takes."""
    given = [{name for name, value in one._asdict().items() if value is not None} for one in settings]
    for own in given:
        if differing := own ^ given[0]:
            name = min(differing)
            raise InputError(f"members: {name} must be a number in all of a structure, or None in all")
