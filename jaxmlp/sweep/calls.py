"""Calls of compiled programs, several at the same time, until all chunks are equally far."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from jaxmlp.runtime import processes
from jaxmlp.sweep import chunks
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.state import SweepState
from jaxmlp.train.epoch import Advance


def advance_chunks(
    state: SweepState,
    until: int,
    find: Callable[[Chunk], Advance],
    stop: Callable[[], bool],
    bar: Any,
    at_once: int = 1,
) -> tuple[SweepState, bool]:
    """Every chunk in which a member is finite after epoch ``until``; False with it, if ``stop`` said so
    between two calls. ``find`` gives a chunk's program; ``at_once`` chunks train at the same time, and know
    nothing of each other.
    """
    state = state._replace(chunks=list(state.chunks))
    behind = [index for index, chunk in enumerate(state.chunks) if _is_behind(state, chunk, until)]
    with ThreadPoolExecutor(at_once) as pool:
        for start in range(0, len(behind), at_once):
            own = behind[start : start + at_once]
            state, stopped = _advance_together(state, own, until, partial(_call, pool, find), stop, bar)
            if stopped:
                return state, False
    return state._replace(epoch=until), True


def _advance_together(
    state: SweepState,
    indices: Sequence[int],
    until: int,
    call: Callable[[Sequence[tuple[Chunk, int]]], tuple[list[Any], float, float]],
    stop: Callable[[], bool],
    bar: Any,
) -> tuple[SweepState, bool]:
    """The chunks of these ``indices`` after epoch ``until``, and whether they were stopped before."""
    own, stopped = {index: chunks.to_device(state.chunks[index]) for index in indices}, False
    while (now := [i for i in indices if _is_behind(state, own[i], until)]) and not (stopped := stop()):
        before = [own[i] for i in now]
        lengths = [processes.all_processes_max(min(c.pace, until - c.epoch)) for c in before]
        results, compiling, training = call(list(zip(before, lengths, strict=True)))
        for index, chunk, (after, report) in zip(now, before, results, strict=True):
            state, own[index] = record_reports(state, chunk, report), after
            bar.update(len(chunk.members) * (after.epoch - chunk.epoch))
        state = state._replace(
            compile_seconds=state.compile_seconds + compiling,
            train_seconds=state.train_seconds + training,
        )
    for index in indices:
        state.chunks[index] = chunks.to_host(own[index])
    return state, stopped


def _call(
    pool: ThreadPoolExecutor, find: Callable[[Chunk], Advance], lengths: Sequence[tuple[Chunk, int]]
) -> tuple[list[Any], float, float]:
    """What each call brings, and the seconds to find their programs and to make them."""
    began = time.perf_counter()
    found = [(chunk, find(chunk), num_epochs) for chunk, num_epochs in lengths]
    ready = time.perf_counter()
    # Data in parts compile as they come: in this thread, for which alone settings of JAX may hold.
    run: Any = pool.map if len(found) > 1 else map
    results = list(run(chunks.advance_chunk, *zip(*found, strict=True)))
    return results, ready - began, time.perf_counter() - ready


def _is_behind(state: SweepState, chunk: Chunk, until: int) -> bool:
    """Whether a chunk has to train to be where the others are."""
    return chunk.epoch < until and any(state.statuses[member] == "finished" for member in chunk.members)


def record_reports(state: SweepState, chunk: Chunk, report: Mapping[str, Any]) -> SweepState:
    """The state with what the members of ``chunk`` reported of the epochs that begin with its own, as a mean
    over the folds; those of whom a loss is not finite are lost from there on.
    """
    statuses, history, outputs = list(state.statuses), dict(state.history), dict(state.outputs)
    report = {name: values for name, values in report.items() if name != "first_bad_step"}
    now = report.pop("validation_outputs")
    measured = {name: state.num_measured for name in report if name.startswith("validation_")}
    curves = {name: values[:, : measured.get(name)].mean(axis=1) for name, values in report.items()}
    loss = curves["train_loss"]
    first, end = chunk.epoch, chunk.epoch + loss.shape[1]
    for name in curves:
        rows = history.get(name, np.empty((len(statuses), 0)))
        missing = max(0, end - rows.shape[1])
        history[name] = np.pad(rows, ((0, 0), (0, missing)), constant_values=np.nan)
    for place, member in enumerate(chunk.members):
        if statuses[member] != "finished":
            continue
        lost = np.flatnonzero(~np.isfinite(loss[place]))
        seen = 1 + lost[0] if len(lost) else end - first
        for name, values in curves.items():
            history[name][member, first : first + seen] = values[place, :seen]
        outputs[member] = now[place].reshape(-1, now.shape[-1])
        if len(lost):
            statuses[member] = f"not finite in epoch {first + seen}"
            del outputs[member]
    return state._replace(history=history, statuses=statuses, outputs=outputs)
