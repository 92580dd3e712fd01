"""Members that train side by side: they go through their program in chunks of one fixed size, so that a
population that halving has thinned out needs no new program.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, Key, Shaped

from jaxmlp.runtime.devices import device_put, gather, num_concurrent_calls, sharding
from jaxmlp.sweep.programs import Chunk, Group, Program, fold_keys
from jaxmlp.sweep.space import Structure
from jaxmlp.train.epoch import Advance, lower_epochs, make_init, next_num_epochs
from jaxmlp.train.state import TrainState
from jaxmlp.train.streaming import Stream
from jaxmlp.types import AnyArray, Dataset, PyTree


def init_chunks(group: Group, num_folds: int) -> list[Chunk]:
    """The chunks of a group, before the first step."""
    (program, members, numbers), chunks = group, []
    for rows in _chunk_rows(len(members), program.chunk_size):
        hyperparams = jax.tree.map(
            lambda *numbers: jnp.asarray(numbers, float), *(members[row].hyperparams for row in rows)
        )
        key = fold_keys([members[row].seed for row in rows], num_folds)
        key, hyperparams = _shard(program, (key, hyperparams))
        state = make_init(program.run.train, program.run.where, keeps_best=False)(key, hyperparams)
        alive = dict.fromkeys(numbers[row] for row in rows)
        chunks.append(to_host(Chunk(program, tuple(alive), hyperparams, state)))
    return chunks


def fill_chunks(
    program: Program, places: Mapping[int, int], epoch: int, carried: Sequence[tuple[PyTree, PyTree]]
) -> list[Chunk]:
    """Chunks of the program's size from the hyperparameters and states that others carried, of whatever size,
    on the host: each member by its place in all of them together.
    """
    members, sources, chunks = list(places), np.array(list(places.values()), np.int32), []
    for rows in _chunk_rows(len(members), program.chunk_size):
        hyperparams, state = _shard(program, jax.tree.map(partial(_take, sources[rows]), *carried))
        own = tuple(members[row] for row in dict.fromkeys(rows))
        chunks.append(to_host(Chunk(program, own, hyperparams, state, epoch)))
    return chunks


def to_device(chunk: Chunk) -> Chunk:
    """The chunk on the device, if it waited for its turn."""
    return chunk._replace(state=_shard(chunk.program, chunk.state)) if chunk.program.wait else chunk


@contextmanager
def compile_ahead(
    chunks: Sequence[Chunk], data: Dataset | Stream, validation: Dataset, data_key: Key[Array, ""]
) -> Iterator[Callable[[Chunk], Advance]]:
    """A function that gives what advances a chunk; while one trains, the programs of others are compiled."""
    compiler = ThreadPoolExecutor(num_concurrent_calls())
    ahead: dict[Structure, Future[Advance]] = {}
    try:
        for structure, chunk in {chunk.program.structure: chunk for chunk in chunks}.items():
            own = to_device(chunk)
            lowered = lower_epochs(own.program.run, own.state, own.hyperparams, data, validation, data_key)
            ahead[structure] = compiler.submit(lowered)
        yield lambda chunk: ahead[chunk.program.structure].result()
    finally:
        compiler.shutdown(wait=False, cancel_futures=True)


def advance_chunk(
    chunk: Chunk, advance: Advance, num_epochs: int
) -> tuple[Chunk, dict[str, Shaped[AnyArray, "members ..."]]]:
    """A chunk on the device after a call of at most ``num_epochs`` epochs, and what each member reports of
    each fold: curves of ``train_loss`` and of each measure that is a number, and the others as they are at
    the end.
    """
    began = time.perf_counter()
    state, report = advance(chunk.state, chunk.hyperparams, chunk.epoch, num_epochs)
    num_epochs, size = report.curves["train_loss"].shape[-1], len(chunk.members)
    pace = next_num_epochs(num_epochs, time.perf_counter() - began)
    told = {name: values[:size] for name, values in (report.curves | report.last).items()}
    return chunk._replace(state=state, epoch=chunk.epoch + num_epochs, pace=pace), told


def _shard(program: Program, tree: PyTree) -> PyTree:
    """Arrays of members, spread over the devices where there are several."""
    return device_put(tree, sharding(program.mesh, "members"))


def to_host(chunk: Chunk) -> Chunk:
    """The chunk where it stays while others train."""
    return chunk._replace(state=gather(chunk.state)) if chunk.program.wait else chunk


def member_params(chunk: Chunk, index: int) -> PyTree:
    """The parameters to evaluate of the chunk's member at ``index``, as they are now, on the host; folds on
    the first axis.
    """
    take = _take_params(chunk.program.run.train.eval_params)
    return gather(take(chunk.state.train, chunk.hyperparams, index))


@lru_cache(maxsize=64)
def _take_params(eval_params: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """On the device, since it holds many members."""

    def take(state: TrainState, hyperparams: PyTree, index: Integer[Array, ""]) -> PyTree:
        return jax.tree.map(lambda leaf: leaf[index], eval_params(state, hyperparams))

    return jax.jit(take)


def scale_num_steps(chunk: Chunk, factor: float) -> Chunk:
    """The chunk with a schedule, if it has one, over ``factor`` times as many steps."""
    num_steps = chunk.hyperparams.num_steps
    if num_steps is None:
        return chunk
    return chunk._replace(hyperparams=chunk.hyperparams._replace(num_steps=num_steps * factor))


def select_members(chunks: Sequence[Chunk], survivors: set[int]) -> list[Chunk]:
    """The chunks of the surviving members: gathered into as few as they fit in, with all that they carry."""
    by_program: dict[Structure, list[Chunk]] = {}
    for chunk in chunks:
        by_program.setdefault(chunk.program.structure, []).append(chunk)
    return [kept for group in by_program.values() for kept in _regroup(group, survivors)]


def _regroup(chunks: list[Chunk], survivors: set[int]) -> list[Chunk]:
    if survivors.issuperset(member for chunk in chunks for member in chunk.members):
        return chunks
    program, epoch, pace = chunks[0].program, max(chunk.epoch for chunk in chunks), chunks[0].pace
    full: list[Chunk] = []
    others: list[Chunk] = []
    for chunk in chunks:
        stays = len(chunk.members) == program.chunk_size and survivors.issuperset(chunk.members)
        (full if stays else others).append(chunk)
    places = {
        member: program.chunk_size * number + place
        for number, chunk in enumerate(others)
        for place, member in enumerate(chunk.members)
        if member in survivors
    }
    # On the host, where this needs no program for each number of chunks.
    carried = gather([(chunk.hyperparams, chunk.state) for chunk in others])
    full += fill_chunks(program, places, epoch, carried)
    return [chunk._replace(pace=pace) for chunk in full]


def _take(index: Integer[np.ndarray, " members"], *leaves: Any) -> Any:
    # NumPy has no random keys.
    return (np if isinstance(leaves[0], np.ndarray) else jnp).concatenate(leaves)[index]


def _chunk_rows(num_members: int, chunk_size: int) -> list[list[int]]:
    """The members of each chunk; the last member stands in for those that the last chunk lacks."""
    starts = range(0, num_members, chunk_size)
    return [[min(row, num_members - 1) for row in range(start, start + chunk_size)] for start in starts]
