"""The beginning and the end of a run: where its results go, what they come from, and the record of it all."""

import dataclasses
import inspect
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.harness import pictures
from experiments.harness.answers import Answer, Record
from experiments.harness.flags import Config, check_flags
from experiments.harness.provenance import CHECKOUT, Provenance, commit
from jaxmlp import records
from jaxmlp.runtime.files import FolderLock
from jaxmlp.runtime.signals import exit_if_stopped
from jaxmlp.types import InputError, Numbers

PUBLISHED = CHECKOUT / "results"
Draw = Callable[[Record, Path], None]
"""Makes pictures of a record in a folder."""


class Findings(NamedTuple):
    """What a run found."""

    dataset: str
    metrics: Mapping[str, tuple[Numbers, str]]
    """Name → (one value per seed, unit); the one that matters most first."""
    curves: records.Curves = {}  # noqa: RUF012, a NamedTuple's default
    tables: Mapping[str, Any] = {}
    """Whatever else the pictures show."""
    seconds: Mapping[str, float] = {}
    notes: Mapping[str, Any] = {}
    """What stands beside the flags in the record's config."""
    pictures: Callable[[Path], None] | None = None
    """Draws those that need more than a record holds, as weights or the data, into a folder."""


class Receipt(NamedTuple):
    """What is known when an experiment begins: where its results go and what they come from."""

    folder: Path
    is_new: bool
    """Whether the folder was made for this run."""
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


def begin(config: Config) -> Receipt:
    """The receipt of the experiment whose module defines ``config``'s class.

    The module's docstring begins with the question. InputError for a flag that breaks a rule, or a folder
    that cannot be written to, or that another process is writing to.
    """
    check_flags(config)
    module = sys.modules[type(config).__module__]
    command = f"python -m {runnable_name(module.__name__)}"
    name = command.rpartition(".")[2]
    question, mark, _ = " ".join((inspect.getdoc(module) or "").split()).partition("?")
    provenance = commit()
    folder = result_folder(config, name, provenance)
    is_new = not folder.exists()
    lock = FolderLock(records.check_writable(folder))
    command = f"{command} {shlex.join(sys.argv[1:])}".strip()
    if not getattr(config, "resume", False):
        records.tell_replaced(folder, command, "--name")
    return Receipt(folder, is_new, name, question + mark, command, provenance, time.perf_counter(), lock)


def result_folder(config: Config, experiment: str, provenance: Provenance) -> Path:
    """Where a run's results go; InputError for one that must not go there.

    Published results are compared and quoted, so no run touches them that is not meant to.
    """
    name = config.name or experiment
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"name: must be letters, digits, dots and hyphens, got {name!r}")
    if config.out is not None and (config.publish or config.name):
        raise InputError("out: must stand alone, since --name and --publish name a folder, too")
    if config.publish:
        if config.smoke or config.quick:
            raise InputError("publish: must be a whole run, got one that --smoke or --quick shortens")
        if provenance.dirty is not False:
            raise InputError("publish: must be a run of committed code, got changed files; commit them first")
        return PUBLISHED / name
    # A shortened run must not replace what a whole one has found.
    folder = config.out or Path("runs") / (name + "-smoke" * config.smoke + "-quick" * config.quick)
    if folder.resolve().is_relative_to(PUBLISHED):
        raise InputError(f"out: must be outside of results/, got {str(folder)!r}; --publish writes there")
    return folder


def finish(
    receipt: Receipt,
    config: Config,
    findings: Findings,
    draw: Draw,
    answer: Callable[[Record], Answer],
) -> Record:
    """Write and return the record, and draw; a trial has no answer, and its pictures say what they are.

    A run that a signal ended has none of it, unless its notes say so.
    """
    if "interrupted" not in findings.notes:
        exit_if_stopped()
    record = records.Record(
        experiment=receipt.experiment,
        question=receipt.question,
        command=receipt.command,
        dataset=findings.dataset,
        config=dataclasses.asdict(config) | {"varied": "seed"} | dict(findings.notes),
        seeds=list(config.seeds),
        metrics=findings.metrics,
        curves=findings.curves,
        seconds={**findings.seconds, "total": time.perf_counter() - receipt.began},
        provenance=receipt.provenance,
        tables=findings.tables,
    )
    # What was measured is saved before anything is made of it.
    written = records.read_record(records.write_record(receipt.folder, record))
    path = records.write_record(receipt.folder, record._replace(headline=headline(config, written, answer)))
    written = records.read_record(path)
    with pictures.stamped(receipt.folder, "trial" if config.smoke else ""):
        if findings.pictures is not None:
            findings.pictures(receipt.folder)
        draw(written, receipt.folder)
    return written


def headline(config: Config, record: Record, answer: Callable[[Record], Answer]) -> dict[str, Any]:
    """The measure that answers the question, and the answer in words."""
    if config.smoke:
        return {"metric": None, "answer": "a trial, which shows nothing but that everything works"}
    found = answer(record)
    if config.quick and not found.shown:
        found = found._replace(text=f"Not shown at this size. {found.text}")
    return {"metric": found.metric, "answer": found.text}
