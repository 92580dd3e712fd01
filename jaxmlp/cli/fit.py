"""``jaxmlp fit``: from a table or a named set to a tuned, calibrated ensemble in a file."""

import dataclasses
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import jaxmlp
from jaxmlp import checks, records
from jaxmlp.cli import findings
from jaxmlp.cli.flags import SearchFlags, Switch, TextFlags, check_flags, default, plan_of
from jaxmlp.data.columns import describe_columns
from jaxmlp.data.frames import read_frame
from jaxmlp.data.splits import Splits
from jaxmlp.data.tables import data_name
from jaxmlp.report.sentences import tell
from jaxmlp.report.thresholds import check_cost, parse_cost
from jaxmlp.report.writing import make_report, write_page
from jaxmlp.runtime.files import FolderLock
from jaxmlp.sweep import space
from jaxmlp.sweep.cost import describe_plan
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints
from jaxmlp.types import InputError

_SEARCH, _TEXT = SearchFlags(), TextFlags()
Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Fit:
    """Train networks of several settings, and keep the ensemble that is best on rows it has not learnt from.

    jaxmlp fit customers.csv --target bought --dropout 0:0.3

    A range is low:high, low:high:log, a,b,c or a constant; what is not given has a good default. The folder
    then holds the ensemble (model.safetensors), its best member alone, a report (report.html), a record and
    pictures.
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
    """A CSV or Parquet file, or a name: digits, iris, wine, … or an image set of tensorflow-datasets."""
    target: Annotated[str | None, default("", "COLUMN")] = None
    """The column of the file to predict."""
    task: Annotated[Task | None, default("what the target looks like", "{binary,multiclass,regression}")] = (
        None
    )
    """What the target is: binary, multiclass or regression."""
    class_weight: Annotated[Literal["balanced"] | None, default("as often as they come", "balanced")] = None
    """How much the classes count: balanced gives each the same total, however rare it is."""
    cost: Annotated[str | None, default("", "FALSE_POSITIVE:FALSE_NEGATIVE")] = None
    """What it costs to take a row wrongly for the rarer of two classes, and to miss one, as 1:5; for this a
    threshold is chosen, too."""
    no_baselines: Switch = False
    """Fit no simpler models beside the networks."""
    column: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, default("found by looking", "NAME=KIND")
    ] = ()
    """What a column is, where it is not what was found: number, decimal-point, decimal-comma, date,
    day-first, month-first, text or drop; once for each column."""
    group: Annotated[str | None, default("none", "COLUMN")] = None
    """A column, no input, whose values never lie on two sides of a split, such as a person's name."""
    time: Annotated[str | None, default("none", "COLUMN")] = None
    """A column of dates or numbers, no input, by which rows are split in their order."""
    validation: Annotated[str | None, default("folds, or cut off", "FILE")] = None
    """Another file with rows to choose by."""
    test: Annotated[str | None, default("cut off", "FILE")] = None
    """Another file with rows to measure on."""
    text: tyro.conf.OmitArgPrefixes[TextFlags] = _TEXT
    """How a text file is written."""
    out: Annotated[Path | None, default("runs/ and the name of the data", "FOLDER")] = None
    """Folder for the results."""
    seed: int = 0
    """Of the split into parts, the draws and the order of the data."""
    test_fraction: float = 0.2
    """Share of the data kept aside to measure on, where the set has no such part."""
    manual_dir: Annotated[Path | None, default("$JAXMLP_MANUAL_DIR", "FOLDER")] = None
    """Folder with an image set's files, already downloaded."""
    mesh: Annotated[str | None, default("all there are, for networks first", "SIZES")] = None
    """Devices, as data=4,members=2."""
    checkpoint_every: Annotated[int | None, default("one where Ctrl-C or SIGTERM ends the run", "INT")] = None
    """Epochs from one checkpoint to the next."""
    resume: Switch = False
    """Go on from the last checkpoint in the folder, with the other flags as they were."""
    quiet: Switch = False
    """Show no progress."""
    search: tyro.conf.OmitArgPrefixes[SearchFlags] = _SEARCH
    """What is searched, and how."""


def run(config: Fit) -> None:
    began, ranges = time.perf_counter(), check_flags(config.search)
    checks.integer("seed", config.seed, at_least=0)
    cost, splits = parse_cost(config.cost), read_data(config)
    check_cost(cost, splits.task)
    folder = records.check_writable(config.out or Path("runs") / splits.name)
    with FolderLock(folder):
        if not config.resume:
            records.tell_replaced(folder, command_line(), "--out")
        outcome = _search(config, splits, ranges, folder, began)
        baselines = not config.no_baselines
        report = make_report(outcome.found, splits, baselines=baselines, cost=cost)
        print(*tell(report), sep="\n")
        write_page(report, folder / "report.html")
    print(f"model, report.html, record and pictures in {folder}")


def _search(
    config: Fit, splits: Splits, ranges: dict[str, space.Distribution], folder: Path, began: float
) -> findings.Outcome:
    plan = plan_of(config.search, splits, ranges, config.seed, config.mesh)
    describe_plan(*plan)
    checkpoints = _checkpoints(config, folder)
    found = jaxmlp.fit_members(*plan, checkpoints=checkpoints, progress=not config.quiet)
    # Saved first, measured then: whatever happens now, the work is not lost.
    findings.save_models(folder, findings.Outcome(splits, found, {}, {}))
    if found.sweep.interrupted:
        print("--resume goes on from here")
    elif config.checkpoint_every is None:
        clear_checkpoints(checkpoints)
    outcome = findings.measured(splits, found)
    findings.save_models(folder, outcome)
    _write_record(config, folder, outcome, began)
    findings.draw(folder, outcome)
    return outcome


def command_line() -> str:
    return f"jaxmlp {shlex.join(sys.argv[1:])}".strip()


def read_data(config: Fit) -> Splits:
    cut: Any = {"split_seed": config.seed, "validation_fraction": config.search.validation_fraction}
    cut |= {"test_fraction": config.test_fraction, "class_weight": config.class_weight}
    is_file = bool(Path(config.data).suffix) or Path(config.data).is_file()
    _check_fits(config, is_file)
    if is_file:
        if config.target is None:
            raise InputError("target: name the column of the table to predict, as --target COLUMN")
        return _read_files(config, config.target, cut)
    return jaxmlp.load_dataset(config.data, manual_dir=config.manual_dir, **cut)


def _check_fits(config: Fit, is_file: bool) -> None:
    """InputError for a flag that says something of other data than these."""
    named = "target", "task", "column", "group", "time", "validation", "test"
    of_files = {name: getattr(config, name) for name in named} | dataclasses.asdict(config.text)
    given = [name for name, value in of_files.items() if value not in (None, ())]
    if given and not is_file:
        raise InputError(f"{given[0]}: is for a CSV or Parquet file, but the data are {config.data!r}")
    if is_file and config.manual_dir is not None:
        raise InputError(f"manual_dir: is for an image set, but the data are the file {config.data!r}")


def _read_files(config: Fit, target: str, cut: dict[str, Any]) -> Splits:
    """The table, and those of its parts that are files of their own."""
    named = {"table": config.data, "validation": config.validation, "test": config.test}
    text = dataclasses.asdict(config.text)
    frames: dict[str, Any] = {
        name: read_frame(path, **text) for name, path in named.items() if path is not None
    }
    said: dict[str, Any] = {"groups": config.group, "time": config.time, "task": config.task}
    said["columns"] = _parse_columns(config.column)
    splits = jaxmlp.read_table(target=target, **frames, **said, **cut)._replace(name=data_name(config.data))
    print(describe_columns(splits.columns or ()), end="\n\n")
    return splits


def _parse_columns(flags: Sequence[str]) -> dict[str, str]:
    """The kinds that the flags say, by their columns, whose names may hold "=", too."""
    pairs = [flag.rpartition("=") for flag in flags]
    for name, _, kind in pairs:
        if not name:
            raise InputError(f"column: must be NAME=KIND, got {kind!r}")
    for name, count in Counter(name for name, *_ in pairs).items():
        if count > 1:
            raise InputError(f"column: what {name!r} is must be said once, got it {count} times")
    return {name: kind for name, _, kind in pairs}


def _checkpoints(config: Fit, folder: Path) -> Checkpoints:
    if config.checkpoint_every is not None:
        checks.integer("checkpoint_every", config.checkpoint_every)
    asked = ("data", "target", "task", "column", "group", "time", "validation", "test", "test_fraction")
    run = {name: str(getattr(config, name)) for name in (*asked, "class_weight")}
    return Checkpoints(folder / "checkpoints", config.checkpoint_every, config.resume, run)


def _write_record(config: Fit, folder: Path, outcome: findings.Outcome, began: float) -> None:
    swept = outcome.found.sweep
    records.write_record(
        folder,
        records.Record(
            experiment="fit",
            question=f"What do networks make of {outcome.splits.name}?",
            command=command_line(),
            dataset=outcome.splits.name,
            config=dataclasses.asdict(config) | {"interrupted": bool(swept.interrupted)},
            seeds=[config.seed],
            metrics={name: (value, findings.unit_of(name)) for name, value in outcome.metrics.items()},
            curves={f"member_{name}": rows for name, rows in swept.history.items()},
            seconds={**swept.seconds, "total": time.perf_counter() - began},
            provenance=(None, None),
            tables=findings.tables_of(outcome),
        ),
    )
