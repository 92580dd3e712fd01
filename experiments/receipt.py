"""An experiment is a claim with its receipt: the flags that all share, and the record that each leaves."""

import dataclasses
import inspect
import re
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from experiments.provenance import CHECKOUT, Provenance, commit
from jaxmlp import checks, records
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, first_examples
from jaxmlp.runtime.files import FolderLock
from jaxmlp.runtime.signals import exit_if_stopped
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.types import InputError, Numbers

SMOKE_EXAMPLES = 512
MAX_SEEDS = 100_000
PUBLISHED = CHECKOUT / "results"


@dataclass(frozen=True)
class Config:
    """The flags of every experiment."""

    num_seeds: int = 5
    """Networks per setting, which differ in initial weights, dropout and the order of the data."""
    seed: int = 0
    """The first seed."""
    name: str | None = None
    """Name of the folder in runs/, or in results/ with --publish (default: the experiment's)."""
    out: Path | None = None
    """Any other folder for record and pictures."""
    publish: bool = False
    """Write to results/, which is published: a whole run of committed code."""
    progress: bool = True
    """Show a progress bar."""
    smoke: bool = False
    """A run of seconds on a few hundred examples, to see that everything works."""


@dataclass(frozen=True)
class ImageConfig(Config):
    """The flags of an experiment on images."""

    dataset: str = "mnist"
    """Name of the data: digits, or any image set of tensorflow-datasets."""
    manual_dir: Path | None = None
    """Folder with the set's files, already downloaded (default: $JAXMLP_MANUAL_DIR)."""


@dataclass(frozen=True)
class DeviceConfig(ImageConfig):
    """The flags of an experiment that runs on any number of devices and hosts."""

    mesh: str | None = None
    """Devices, as data=4,members=2 (default: all there are, for members first)."""
    coordinator: str | None = None
    """HOST:PORT where process 0 of several is found, or "auto" where SLURM, Kubernetes or a TPU pod knows."""
    num_processes: int | None = None
    """Processes that are one run together, each started with the same flags and its own --process-id."""
    process_id: int | None = None
    """Which of them this is, from 0."""
    checkpoint_every: int | None = None
    """Epochs from one checkpoint to the next (default: one where Ctrl-C or SIGTERM ends the run)."""
    resume: bool = False
    """Go on from the last checkpoint in the folder, with the other flags as they were."""


class Receipt(NamedTuple):
    """What is known when an experiment begins: where its results go and what they come from."""

    folder: Path
    experiment: str
    question: str
    command: str
    provenance: Provenance
    began: float
    lock: FolderLock


def runnable_name(module_name: str) -> str:
    """The name to give to ``python -m``: a module that is being run is called ``__main__``, and the folder of
    one in a file of that name is enough.
    """
    spec = sys.modules[module_name].__spec__
    return (module_name if spec is None else spec.name).removesuffix(".__main__")


def begin(config: Any) -> Receipt:
    """The receipt of the experiment whose module defines ``config``'s class.

    The module's docstring begins with the question. InputError for a count out of range, or a folder that
    cannot be written to, or that another process is writing to.
    """
    if checks.integer("num_seeds", config.num_seeds, at_least=1) > MAX_SEEDS:
        raise InputError(f"num_seeds: must be at most {MAX_SEEDS}, got {config.num_seeds}")
    checks.integer("seed", config.seed, at_least=0)
    module = sys.modules[type(config).__module__]
    command = f"python -m {runnable_name(module.__name__)}"
    name = command.rpartition(".")[2]
    question, mark, _ = " ".join((inspect.getdoc(module) or "").split()).partition("?")
    provenance = commit()
    folder = records.check_writable(result_folder(config, name, provenance))
    command = f"{command} {shlex.join(sys.argv[1:])}".strip()
    lock = FolderLock(folder)
    if not getattr(config, "resume", False):
        tell_what_goes(folder, command)
    return Receipt(folder, name, question + mark, command, provenance, time.perf_counter(), lock)


def result_folder(config: Any, experiment: str, provenance: Provenance) -> Path:
    """Where a run's results go; InputError for one that must not go there.

    Published results are compared and quoted, so no run touches them that is not meant to.
    """
    name = config.name or experiment
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"name: must be letters, digits, dots and hyphens, got {name!r}")
    if config.out is not None and (config.publish or config.name):
        raise InputError("out: must stand alone, since --name and --publish name a folder, too")
    if config.publish:
        if config.smoke:
            raise InputError("publish: must be a whole run, got one that --smoke shortens")
        if provenance.dirty is not False:
            raise InputError("publish: must be a run of committed code, got changed files; commit them first")
        return PUBLISHED / name
    # A trial must not replace what a whole run has found.
    folder = config.out or Path("runs") / (name + "-smoke" * config.smoke)
    if folder.resolve().is_relative_to(PUBLISHED):
        raise InputError(f"out: must be outside of results/, got {str(folder)!r}; --publish writes there")
    return folder


def tell_what_goes(folder: Path, command: str) -> None:
    """Say whose results another command's are about to replace."""
    path = folder / "record.json"
    before = records.read_record(path)["command"] if path.exists() else None
    if before is not None and before != command:
        print(f"replaces what is in {folder}, made by: {before} (--name keeps both)", flush=True)
    if before is None and any(folder.glob("*.safetensors")):
        print(f"replaces the model in {folder}, which has no record (--name keeps both)", flush=True)


# What a run may be gone on with otherwise; of the epochs and the data, the run itself knows what matters.
_FREE = {field.name for field in dataclasses.fields(DeviceConfig)} - {"dataset", "num_seeds", "seed"}
_FREE |= {"num_epochs", "num_splits", "data_bytes", "time_budget"}


def checkpoints(receipt: Receipt, config: DeviceConfig, part: str) -> Checkpoints:
    """Those of one part of a run, such as a split."""
    if config.checkpoint_every is not None:
        checks.integer("checkpoint_every", config.checkpoint_every)
    run = {name: value for name, value in dataclasses.asdict(config).items() if name not in _FREE}
    folder = receipt.folder / "checkpoints" / part
    return Checkpoints(folder, config.checkpoint_every, config.resume, run)


def seeds(config: Any) -> range:
    """The seeds that the flags ask for."""
    return range(config.seed, config.seed + config.num_seeds)


def load(config: ImageConfig, **options: Any) -> Splits:
    """The classes that the flags name, a few hundred examples of each part for a smoke run."""
    splits = sources.load_dataset(config.dataset, manual_dir=config.manual_dir, **options)
    if splits.task == "regression":
        raise InputError(f"dataset: must have classes, but {config.dataset} has real values")
    return first_examples(splits, SMOKE_EXAMPLES) if config.smoke else splits


def finish(
    receipt: Receipt,
    config: Any,
    *,
    dataset: str,
    metrics: Mapping[str, tuple[Numbers, str]],
    curves: records.Curves | None = None,
    tables: Mapping[str, Any] | None = None,
    seconds: Mapping[str, float] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write the record and say where everything is; ``notes`` stand beside the flags in its config.

    A run that a signal ended has none, unless its notes say so.
    """
    if "interrupted" not in (notes or {}):
        exit_if_stopped()
    record = records.Record(
        experiment=receipt.experiment,
        question=receipt.question,
        command=receipt.command,
        dataset=dataset,
        config=dataclasses.asdict(config) | {"varied": "seed"} | dict(notes or {}),
        seeds=list(seeds(config)),
        metrics=metrics,
        curves=curves or {},
        seconds={**(seconds or {}), "total": time.perf_counter() - receipt.began},
        provenance=receipt.provenance,
        tables=tables or {},
    )
    records.write_record(receipt.folder, record)
    print(f"record and pictures in {receipt.folder}")
