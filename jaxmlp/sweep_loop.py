"""A sweep: members train in step, those that fall behind are cut, the ensemble is chosen as they learn."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxmlp import batching, checks, ensemble, population
from jaxmlp.ensemble import Chosen
from jaxmlp.halving import planned, rungs, survivors
from jaxmlp.loop import interruptible
from jaxmlp.metrics import METRICS
from jaxmlp.mlp import Network
from jaxmlp.optimizers import make_optimizer
from jaxmlp.population import Chunk, Program
from jaxmlp.space import Member, Structure, groups
from jaxmlp.sweep import seed_keys
from jaxmlp.train import make_evaluate, make_train
from jaxmlp.types import Dataset, InputError, PyTree

_LOSS = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}


class Settings(NamedTuple):
    """How a sweep is run; what its members are is another matter."""

    task: str
    num_epochs: int = 20
    batch_size: int = 128
    schedule: str = "constant"
    halving: int | None = 3
    """At each rung one in so many members goes on, for so many times as long (Jamieson and Talwalkar 2016);
    None trains all to the end."""
    brackets: int = 1
    """Shares of the members of which each begins to be cut one rung later (Hyperband; Li et al. 2018)."""
    max_ensemble: int = 32
    num_bags: int = ensemble.NUM_BAGS
    chunk_size: int | None = None
    """Members that train at once; None: what suits the structure and the device."""
    time_budget: float | None = None
    """Seconds after which nothing more is begun."""
    seed: int = 0
    """Of the order of the data, which all members share."""


class Swept(NamedTuple):
    """What a sweep found. Members and epochs that were not trained are nan in ``history``."""

    members: Sequence[Member]
    history: dict[str, Float[np.ndarray, "members epochs"]]
    scores: Float[np.ndarray, " members"]
    """The best validation score of each member: accuracy, or R²."""
    fates: list[str]
    """Of each member: "finished", "cut after epoch 2", "not finite in epoch 1", …"""
    best: int
    """The member with the best score, and its parameters in its best epoch."""
    best_params: PyTree
    chosen: list[Chosen]
    """The ensemble."""
    growth: dict[str, list[float]]
    """After each epoch the ensemble's validation ``loss``, its ``size``, the number of different ``networks``
    in it, and the ``seconds`` since the beginning."""
    seconds: dict[str, float]
    num_programs: int
    interrupted: bool


def sweep(
    members: Sequence[Member],
    network_of: Callable[[Structure], Network],
    dataset: Dataset,
    validation: Dataset,
    settings: Settings,
    *,
    chosen: Sequence[Chosen] = (),
    progress: bool = True,
) -> Swept:
    """Train ``members`` (``space.draw`` makes them) and choose the best of them and an ensemble.

    ``network_of(structure)`` is the network of a structure; ``chosen`` is an ensemble from before, whose
    networks are candidates, too. Ctrl-C, or the end of the time budget, ends the sweep with what it has.
    Raises InputError, and FloatingPointError when no member's loss is finite.
    """
    _check(settings, members, dataset)
    dataset, validation = jax.device_put((dataset, validation))
    board = _Board(members, settings, chosen)
    chunks, epoch, going = start(members, network_of, settings, len(dataset.inputs)), 0, True
    with interruptible() as interrupted, board.progress_bar(progress):
        while going and epoch < board.num_epochs:
            going = board.advance(chunks, dataset, validation, epoch, interrupted)
            board.choose(chunks, epoch)
            if going:
                board.bar.set_postfix_str(board.line(), refresh=False)
                chunks = board.cut(chunks, epoch)
            epoch += 1
        return board.result(chunks, interrupted())


def _check(settings: Settings, members: Sequence[Member], dataset: Dataset) -> None:
    checks.known_name("task", settings.task, METRICS)
    for name in ("num_epochs", "batch_size", "brackets", "max_ensemble", "num_bags"):
        checks.whole_number(name, getattr(settings, name))
    checks.whole_number("seed", settings.seed, at_least=0)
    checks.whole_number("halving", 2 if settings.halving is None else settings.halving, at_least=2)
    checks.whole_number("chunk_size", 1 if settings.chunk_size is None else settings.chunk_size)
    if settings.time_budget is not None:
        checks.positive("time_budget", settings.time_budget)
    if not members:
        raise InputError("members: must hold at least one, got none")
    checks.dataset_shapes(dataset, settings.batch_size)
    for member in members:
        hyperparams = member.hyperparams._replace(num_steps=1)
        make_optimizer(member.structure.optimizer, settings.schedule)(hyperparams)


def steps_of(settings: Settings, num_examples: int) -> float | None:
    """The steps of the whole run, over which a schedule stretches; a constant one would only cost time."""
    if settings.schedule == "constant":
        return None
    return float(settings.num_epochs * batching.num_batches(num_examples, settings.batch_size))


def start(
    members: Sequence[Member],
    network_of: Callable[[Structure], Network],
    settings: Settings,
    num_examples: int,
) -> list[Chunk]:
    """The chunks of all members, before the first step."""
    num_steps = steps_of(settings, num_examples)
    members = [m._replace(hyperparams=m.hyperparams._replace(num_steps=num_steps)) for m in members]
    grouped = groups(members)
    own = [[members[number] for number in numbers] for numbers in grouped.values()]
    programs = population.fitted(
        [
            _program(structure, network_of(structure), settings.task, settings.schedule, settings.batch_size)
            for structure in grouped
        ],
        own,
    )
    if settings.chunk_size is not None:
        programs = [program._replace(chunk_size=settings.chunk_size) for program in programs]
    begun = zip(programs, own, grouped.values(), strict=True)
    return [chunk for arguments in begun for chunk in population.begin(*arguments)]


@lru_cache(maxsize=64)
def _program(structure: Structure, network: Network, task: str, schedule: str, batch_size: int) -> Program:
    """The same program for the same arguments, so that what was compiled for it is found again."""
    return population.make_program(
        structure,
        make_train(
            network.init_fn, network.loss_fn, make_optimizer(structure.optimizer, schedule), batch_size
        ),
        make_evaluate(network.predict_fn, METRICS[task] | {"share": ensemble.SHARES[task]}),
        monitor=next(iter(METRICS[task])),
    )


class _Board:
    """What a sweep has seen so far, and what follows from it."""

    def __init__(self, members: Sequence[Member], settings: Settings, chosen: Sequence[Chosen]) -> None:
        self.members, self.settings, self.num_epochs = members, settings, settings.num_epochs
        _, (self.data_key,) = seed_keys([settings.seed])
        self.began, self.compiling, self.spent = time.perf_counter(), 0.0, 0.0
        self.history: dict[str, np.ndarray] = {}
        self.fates = ["finished"] * len(members)
        self.chosen = list(chosen)
        self.shares: dict[int, np.ndarray] = {}
        self.growth: dict[str, list[float]] = {"loss": [], "size": [], "networks": [], "seconds": []}
        self.losses = ensemble.losses_of(settings.task)
        self.monitor = f"validation_{next(iter(METRICS[settings.task]))}"

    def advance(
        self,
        chunks: list[Chunk],
        dataset: Dataset,
        validation: Dataset,
        epoch: int,
        interrupted: Callable[[], bool],
    ) -> bool:
        """Train every chunk for an epoch; False if Ctrl-C or the time budget came in between."""
        self.shares = {}
        for index, chunk in enumerate(chunks):
            if interrupted() or self.out_of_time():
                return False
            began = time.perf_counter()
            arguments = dataset, validation, epoch, self.data_key
            population.compile_epoch(chunk, *arguments)
            ready = time.perf_counter()
            chunks[index], report = population.advance(chunk, *arguments)
            self.compiling += ready - began
            self.spent += time.perf_counter() - ready
            self.write(chunk.members, report, epoch)
            self.bar.update(len(chunk.members))
        if epoch == 0 and self.settings.time_budget is not None:
            chunks[:] = self.fit_budget(chunks, self.settings.time_budget)
        return True

    def write(self, members: Sequence[int], report: dict[str, np.ndarray], epoch: int) -> None:
        """Keep a chunk's report; members whose loss is not finite are lost from here on."""
        self.shares |= dict(zip(members, report.pop("validation_share"), strict=True))
        for name, values in report.items():
            shape = len(self.members), self.settings.num_epochs
            self.history.setdefault(name, np.full(shape, np.nan))[list(members), epoch] = values
        for member, loss in zip(members, report["train_loss"], strict=True):
            if not np.isfinite(loss):
                self.fates[member] = f"not finite in epoch {epoch + 1}"
                del self.shares[member]

    def choose(self, chunks: list[Chunk], epoch: int) -> None:
        """The ensemble again, from those of before and the members as they are now."""
        places = {m: (chunk, place) for chunk in chunks for place, m in enumerate(chunk.members)}
        members = list(self.shares)
        if not members:
            return
        self.chosen = ensemble.choose_again(
            self.chosen,
            members,
            np.stack([self.shares[member] for member in members]),
            lambda index: population.params_of(*places[members[index]]),
            epoch=epoch + 1,
            losses=self.losses,
            max_size=self.settings.max_ensemble,
            num_bags=self.settings.num_bags,
        )
        counts = [c.votes for c in self.chosen]
        share = np.average([c.share for c in self.chosen], axis=0, weights=counts)
        for name, value in (
            ("loss", float(self.losses(share).mean())),
            ("size", sum(counts)),
            ("networks", len(counts)),
            ("seconds", time.perf_counter() - self.began),
        ):
            self.growth[name].append(value)

    def cut(self, chunks: list[Chunk], epoch: int) -> list[Chunk]:
        """The chunks of those who go on: at a rung the best, and always those whose loss is finite."""
        alive = [m for chunk in chunks for m in chunk.members if self.fates[m] == "finished"]
        if not alive:
            raise FloatingPointError("no member's loss is finite any more; try smaller learning rates")
        keep = set(alive)
        factor, brackets = self.settings.halving, self.settings.brackets
        steps = rungs(self.num_epochs, factor, len(self.members))
        if factor is not None and epoch + 1 in steps:
            scores, losses = self.scores(), self.history["validation_" + _LOSS[self.settings.task]][:, epoch]
            for bracket in range(min(brackets, steps.index(epoch + 1) + 1)):
                share = [member for member in alive if member % brackets == bracket]
                keep -= set(share) - survivors(share, scores, losses, factor)
        for member in set(alive) - keep:
            self.fates[member] = f"cut after epoch {epoch + 1}"
        return population.keep(chunks, keep)

    def scores(self) -> Float[np.ndarray, " members"]:
        """Each member's best so far; minus infinity where there is none."""
        return np.nanmax(np.nan_to_num(self.history[self.monitor], nan=-np.inf), axis=1)

    def out_of_time(self) -> bool:
        """Whether the time budget is spent."""
        budget = self.settings.time_budget
        return budget is not None and time.perf_counter() - self.began > budget

    def fit_budget(self, chunks: list[Chunk], time_budget: float) -> list[Chunk]:
        """After the first epoch, whose time is known: as many epochs as the budget has time for, and the
        chunks with a schedule as long.
        """
        left = time_budget - (time.perf_counter() - self.began)

        def cost(num_epochs: int) -> float:
            alive = planned(len(self.members), num_epochs, self.settings.halving)
            return self.spent * sum(alive[1:]) / len(self.members)

        # More epochs never cost less.
        self.num_epochs = max(1, bisect_right(range(1, self.settings.num_epochs + 1), left, key=cost))
        share = self.num_epochs / self.settings.num_epochs
        return [population.with_num_steps(chunk, share) for chunk in chunks]

    def progress_bar(self, progress: bool) -> Any:
        """A bar of all epochs of all members as planned."""
        from tqdm import tqdm

        total = sum(planned(len(self.members), self.num_epochs, self.settings.halving))
        self.bar = tqdm(total=total, unit="epoch", disable=not progress, dynamic_ncols=True)
        return self.bar

    def line(self) -> str:
        """The best member, who is alive, and the ensemble."""
        scores = self.scores()
        best, alive = int(np.argmax(scores)), self.fates.count("finished")
        text = f"best {self.monitor.replace('_', ' ')} {scores[best]:.4f} (member {best}), {alive} alive"
        return f"{text}, ensemble loss {self.growth['loss'][-1]:.4f}" if self.chosen else text

    def result(self, chunks: list[Chunk], interrupted: bool) -> Swept:
        """What the sweep found; KeyboardInterrupt or InputError if there was no time to find anything."""
        if not self.growth["loss"]:
            if interrupted:
                raise KeyboardInterrupt
            raise InputError(
                f"time_budget: {self.settings.time_budget:g} s were over before a member had trained for an "
                "epoch; give it more, or fewer members"
            )
        places = {m: (chunk, place) for chunk in chunks for place, m in enumerate(chunk.members)}
        alive = [member for member in places if self.fates[member] == "finished"]
        scores = self.scores()
        best = max(alive, key=lambda member: scores[member])
        chunk, place = places[best]
        return Swept(
            members=self.members,
            history={name: values[:, : len(self.growth["loss"])] for name, values in self.history.items()},
            scores=scores,
            fates=self.fates,
            best=best,
            best_params=jax.tree.map(lambda leaf: np.array(np.asarray(leaf)[place]), chunk.state.best.params),
            chosen=self.chosen,
            growth=self.growth,
            seconds={"compile": self.compiling, "train": self.spent},
            num_programs=len(groups(self.members)),
            interrupted=interrupted,
        )


def merged(first: Swept, second: Swept) -> Swept:
    """Two sweeps as one; the second was given the ensemble of the first, as ``before`` numbers it."""
    offset = len(first.members)
    num_epochs = max(found.history["train_loss"].shape[1] for found in (first, second))

    def rows(name: str) -> Float[np.ndarray, "members epochs"]:
        widths = [(0, num_epochs - found.history[name].shape[1]) for found in (first, second)]
        parts = zip((first, second), widths, strict=True)
        return np.concatenate(
            [np.pad(found.history[name], ((0, 0), w), constant_values=np.nan) for found, w in parts]
        )

    better = second.scores[second.best] > first.scores[first.best]
    later = second.growth | {"seconds": [first.growth["seconds"][-1] + s for s in second.growth["seconds"]]}
    return Swept(
        members=[*first.members, *second.members],
        history={name: rows(name) for name in first.history},
        scores=np.concatenate([first.scores, second.scores]),
        fates=first.fates + second.fates,
        best=second.best + offset if better else first.best,
        best_params=second.best_params if better else first.best_params,
        chosen=before(second.chosen, -offset),
        growth={name: first.growth[name] + values for name, values in later.items()},
        seconds={name: first.seconds[name] + second.seconds[name] for name in first.seconds},
        num_programs=len(groups([*first.members, *second.members])),
        interrupted=second.interrupted,
    )


def before(chosen: Sequence[Chosen], offset: int) -> list[Chosen]:
    """An ensemble as a later sweep knows it, whose own members count from 0: numbers less ``offset``."""
    return [c._replace(member=c.member - offset) for c in chosen]
