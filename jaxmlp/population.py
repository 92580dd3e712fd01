"""Members of many structures trained side by side: one compiled program for each structure.

Members of one structure are ``vmap`` of a run and go through their program in chunks of one fixed size, so
that a population that halving has thinned out needs no new program. All are in step, epoch by epoch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Integer, Key

from jaxmlp.runtime.compilation import compile_for
from jaxmlp.runtime.devices import check_memory, device_memory_bytes, device_put, gather, num_bytes, sharding
from jaxmlp.space import Member, Structure
from jaxmlp.train import epoch as train_epoch
from jaxmlp.train.epoch import Evaluate, RunFunctions, epoch_index, make_init
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.state import EarlyStopping, FitState
from jaxmlp.train.step import Train
from jaxmlp.train.streaming import Stream
from jaxmlp.types import AnyArray, Dataset, Hyperparams, PyTree

# What a chunk's work takes, in sizes of its state: the state, its gradients and updates, an evaluation.
_ROOM = 4


class Program(NamedTuple):
    """What trains the members of one structure, ``chunk_size`` at a time, spread over a ``mesh`` if there is
    one; where they ``wait`` their turn on the host, only one chunk is on the device.
    """

    structure: Structure
    run: RunFunctions
    chunk_size: int = 1
    wait: bool = False
    mesh: Mesh | None = None


class Group(NamedTuple):
    """The members of one program, and what they are called."""

    program: Program
    members: Sequence[Member]
    numbers: Sequence[int]


class Chunk(NamedTuple):
    """Members that advance together. The last of a program's chunks is filled up with copies of its last
    member, which nobody looks at.
    """

    program: Program
    members: tuple[int, ...]
    hyperparams: Hyperparams
    state: FitState


def make_program(
    structure: Structure,
    train: Train,
    evaluate: Evaluate,
    *,
    monitor: str,
    mesh: Mesh | None = None,
) -> Program:
    """The program of one structure, from the functions of a single run; of ``monitor`` more is better."""
    train, evaluate = vmap_runs(train, evaluate, "key", "hyperparams")
    run = RunFunctions(train, evaluate, EarlyStopping(monitor), sharding(mesh, "members"))
    return Program(structure, run, mesh=mesh)


def begin(group: Group) -> list[Chunk]:
    """The chunks of a group, before the first step."""
    (program, members, numbers), chunks = group, []
    for rows in _rows(len(members), program.chunk_size):
        hyperparams = jax.tree.map(_column, *(members[row].hyperparams for row in rows))
        key, _ = seed_keys([members[row].seed for row in rows])
        key, hyperparams = _put(program, (key, hyperparams))
        start = make_init(program.run.train, program.run.where)
        state = compile_for(start, key, hyperparams)(key, hyperparams)
        alive = dict.fromkeys(numbers[row] for row in rows)
        chunks.append(_put_back(Chunk(program, tuple(alive), hyperparams, state)))
    return chunks


def restored(program: Program, members: Sequence[int], hyperparams: PyTree, state: PyTree) -> Chunk:
    """A chunk from what one of the same program carried, on the host."""
    chunk = Chunk(program, tuple(members), *_put(program, (hyperparams, state)))
    return _put_back(chunk)


def arrived(chunk: Chunk) -> Chunk:
    """The chunk on the device, if it waited for its turn."""
    return chunk._replace(state=_put(chunk.program, chunk.state)) if chunk.program.wait else chunk


def compile_epoch(
    chunk: Chunk, data: Dataset | Stream, validation: Dataset, epoch: int, data_key: Key[Array, ""]
) -> Callable[..., Any]:
    """The epoch of a chunk that has arrived, compiled; only the first call for a program takes time."""
    program, number = chunk.program, epoch_index(epoch, chunk.program.mesh)
    return train_epoch.compile_epoch(
        program.run, chunk.state, chunk.hyperparams, data, validation, number, data_key
    )


def advance(
    chunk: Chunk, data: Dataset | Stream, validation: Dataset, epoch: int, data_key: Key[Array, ""]
) -> tuple[Chunk, dict[str, np.ndarray]]:
    """The chunk after one more epoch, and what each member reports: ``train_loss`` and each measure."""
    chunk = arrived(chunk)
    program = compile_epoch(chunk, data, validation, epoch, data_key)
    state, (info, report, _) = program(chunk.state, epoch_index(epoch, chunk.program.mesh))
    info, report = gather((info, report))
    size = len(chunk.members)
    report = {"train_loss": info.loss} | {f"validation_{name}": values for name, values in report.items()}
    return _put_back(chunk._replace(state=state)), {name: values[:size] for name, values in report.items()}


def _put(program: Program, tree: PyTree) -> PyTree:
    """Arrays of members, spread over the devices where there are several."""
    return device_put(tree, sharding(program.mesh, "members"))


def _put_back(chunk: Chunk) -> Chunk:
    """The chunk where it stays between two epochs."""
    return chunk._replace(state=jax.device_get(chunk.state)) if chunk.program.wait else chunk


def params_of(chunk: Chunk, index: int) -> PyTree:
    """The parameters to evaluate of the chunk's member at ``index``, as they are now, on the host."""
    params = gather(jax.jit(chunk.program.run.train.eval_params)(chunk.state.train, chunk.hyperparams))
    # A copy, since the next epoch takes the state's memory.
    return jax.tree.map(lambda leaf: np.array(leaf[index]), params)


def with_num_steps(chunk: Chunk, factor: float) -> Chunk:
    """The chunk with a schedule, if it has one, over ``factor`` times as many steps."""
    num_steps = chunk.hyperparams.num_steps
    if num_steps is None:
        return chunk
    return chunk._replace(hyperparams=chunk.hyperparams._replace(num_steps=num_steps * factor))


def keep(chunks: Sequence[Chunk], survivors: set[int]) -> list[Chunk]:
    """The chunks of the surviving members: gathered into as few as they fit in, with all that they carry."""
    by_program: dict[Structure, list[Chunk]] = {}
    for chunk in chunks:
        by_program.setdefault(chunk.program.structure, []).append(chunk)
    return [kept for group in by_program.values() for kept in _gathered(group, survivors)]


def _gathered(chunks: list[Chunk], survivors: set[int]) -> list[Chunk]:
    program = chunks[0].program
    places = {
        member: program.chunk_size * number + place
        for number, chunk in enumerate(chunks)
        for place, member in enumerate(chunk.members)
        if member in survivors
    }
    if len(places) == sum(len(chunk.members) for chunk in chunks):
        return chunks
    members, sources = list(places), np.array(list(places.values()), np.int32)
    carried = tuple((chunk.state, chunk.hyperparams) for chunk in chunks)
    take = _take if program.wait else _take_on_device
    kept = []
    for rows in _rows(len(members), program.chunk_size):
        state, hyperparams = take(carried, sources[rows])
        if program.mesh and not program.wait:
            state, hyperparams = _put(program, (state, hyperparams))
        kept.append(Chunk(program, tuple(dict.fromkeys(members[row] for row in rows)), hyperparams, state))
    return kept


def _take(carried: tuple[PyTree, ...], index: Integer[AnyArray, " members"]) -> PyTree:
    def taken(*leaves: Any) -> Any:
        # What waits on the host is gathered there.
        return (np if isinstance(leaves[0], np.ndarray) else jnp).concatenate(leaves)[index]

    return jax.tree.map(taken, *carried)


_take_on_device = jax.jit(_take)


def fitted(groups: Sequence[Group]) -> list[Group]:
    """The groups with the number of members that each is to train at once, and whether they have to wait.

    A CPU gains from small networks, whose steps are many small products, and loses from wide ones, whose
    parameters no longer rest in its cache. More than 8 at once would gain little more, and fill their places
    with nobody once members are cut. Another device takes as many as its memory holds; where it holds
    less than twice the states of all members, they wait on the host.
    """
    memory, wait, shares = device_memory_bytes(), False, _num_shares(groups[0].program)
    sizes = [state_bytes(g.program, g.members[0]) for g in groups]
    total = sum(n * len(g.members) for n, g in zip(sizes, groups, strict=True)) // shares
    if memory is None:
        check_memory(total)
        most = [8 if max(g.program.structure.network.hidden_sizes, default=0) <= 128 else 1 for g in groups]
    else:
        check_memory(max(sizes))
        most = [max(1, int(memory // (_ROOM * size))) for size in sizes]
        wait = 2 * total > memory
    fits = []
    for group, at_once in zip(groups, most, strict=True):
        size = shares * _even(math.ceil(len(group.members) / shares), at_once)
        fits.append(group._replace(program=group.program._replace(chunk_size=size, wait=wait)))
    return fits


def _num_shares(program: Program) -> int:
    """Devices that a chunk's members are spread over."""
    return program.mesh.shape["members"] if program.mesh else 1


def _even(num_members: int, most: int) -> int:
    """Members in each chunk of ``most`` at most: a last one of few would cost as much as a full one."""
    return math.ceil(num_members / math.ceil(num_members / most))


def state_bytes(program: Program, member: Member) -> int:
    """What one member takes between two epochs: what it trains with, and its best parameters so far."""
    key, _ = seed_keys([member.seed])
    # Not the program's own begin, which may spread members over more devices than one member fills.
    state = jax.eval_shape(make_init(program.run.train), key, jax.tree.map(_column, member.hyperparams))
    return num_bytes(state)


def _rows(num_members: int, chunk_size: int) -> list[list[int]]:
    """The members of each chunk; the last member stands in for those that the last chunk lacks."""
    starts = range(0, num_members, chunk_size)
    return [[min(row, num_members - 1) for row in range(start, start + chunk_size)] for start in starts]


def _column(*values: float) -> Array:
    return jnp.asarray(values, float)
