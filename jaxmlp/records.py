"""The receipt of an experiment, ``record.json``; the only room that writes results."""

import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmlp.runtime.environment import describe
from jaxmlp.runtime.files import write_atomic
from jaxmlp.statistics import summarize
from jaxmlp.types import InputError, Numbers

MAX_CURVE_POINTS = 200
SIGNIFICANT_DIGITS = 5

Curves = Mapping[str, Sequence[Sequence[float]] | np.ndarray]
"""Name → [num_seeds][num_epochs]; a seed that stopped early has a shorter row, or one padded with nan."""


def check_writable(folder: str | Path) -> Path:
    """``folder``, created if need be, after a file was really written there. To be called before training.

    InputError if it is a file, cannot be created or cannot be written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permission bits say nothing to the administrator, or on a read-only disk: only trying does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise InputError(f"out: must be a folder, got the file {str(folder)!r}") from None
    except OSError as error:
        raise InputError(f"out: cannot write to {str(folder)!r}: {error.strerror}") from None
    return folder


def metric_summary(values: Numbers, unit: str) -> dict[str, Any]:
    """A metric as it stands in a record: its statistics over seeds, then the values, whole.

    ``unit`` is "fraction" (of 1), "nats", "1" (a pure number) or any other unit's name.
    """
    whole = np.ravel(np.asarray(values, float)).tolist()
    return summarize(values)._asdict() | {"unit": unit, "values": whole}


def thin_curves(curves: Curves) -> tuple[list[int], dict[str, list[list[float]]]]:
    """At most 200 of the epochs, from the first to the last, and every curve's values there.

    Rows are padded with nan to the longest and rounded to five significant digits.
    """
    num_epochs = max((len(row) for rows in curves.values() for row in rows), default=0)
    count = min(num_epochs, MAX_CURVE_POINTS)
    epochs = [round(epoch) for epoch in np.linspace(1, num_epochs, count)]
    return epochs, {name: [_thin(row, epochs) for row in rows] for name, rows in curves.items()}


class Record(NamedTuple):
    """What a run has to say for itself; ``write_record`` adds the environment."""

    experiment: str
    question: str
    command: str
    dataset: str
    config: Mapping[str, Any]
    seeds: Sequence[int]
    metrics: Mapping[str, tuple[Numbers, str]]
    """Name → (one value per seed, unit)."""
    curves: Curves
    seconds: Mapping[str, float]
    """The wall time of ``data``, ``compile``, ``train`` and ``total``."""
    provenance: tuple[str | None, bool | None]
    """The commit of the code, and whether files differed from it, when the run started; None: not known."""
    tables: Mapping[str, Any] = {}
    """Whatever else the pictures show, by name, rounded as the curves are."""
    headline: Mapping[str, Any] = {}
    """The metric that answers the question, and the answer in words; left out where there is none."""


def write_record(folder: str | Path, record: Record) -> Path:
    """Write ``folder/record.json``, whole or not at all; the path is returned.

    ``epochs`` in it are those at which the curves were kept. A number that is not finite becomes null.
    """
    epochs, thinned = thin_curves(record.curves)
    commit, dirty = record.provenance
    content = {
        **{name: getattr(record, name) for name in ("experiment", "question", "command", "dataset")},
        **({"headline": record.headline} if record.headline else {}),
        "metrics": {name: metric_summary(values, unit) for name, (values, unit) in record.metrics.items()},
        "seconds": {name: _round(value) for name, value in record.seconds.items()},
        "config": record.config,
        "seeds": record.seeds,
        "environment": describe(),
        "commit": commit,
        "dirty": dirty,
        "epochs": epochs,
        "curves": thinned,
        "tables": _plain(record.tables, SIGNIFICANT_DIGITS),
    }
    path = Path(folder) / "record.json"
    write_atomic(path, _json(content).encode("utf-8", "backslashreplace"))
    return path


def tell_replaced(folder: Path, command: str, flag: str) -> None:
    """Say whose results in ``folder`` those of another ``command`` are about to replace; ``flag`` would name
    another folder.
    """
    path = folder / "record.json"
    before = read_record(path)["command"] if path.exists() else None
    if before is not None and before != command:
        print(f"replaces what is in {folder}, made by: {before} ({flag} keeps both)", flush=True)
    if before is None and any(folder.glob("*.safetensors")):
        print(f"replaces the model in {folder}, which has no record ({flag} keeps both)", flush=True)


def read_record(path: str | Path) -> dict[str, Any]:
    """The record in the file ``path``; InputError if there is none or it is not strict JSON."""
    try:
        return json.loads(Path(path).read_text("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(f"record: cannot read {str(path)!r}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"record: {str(path)!r} is not valid JSON: {error}") from None


def read_records(folder: str | Path = "results") -> dict[str, dict[str, Any]]:
    """Every record directly below ``folder``, by the name of its own folder, sorted."""
    return {path.parent.name: read_record(path) for path in sorted(Path(folder).glob("*/record.json"))}


def _json(record: Mapping[str, Any]) -> str:
    text = json.dumps(_plain(record), indent=1, allow_nan=False, ensure_ascii=False)
    # A row of numbers reads better on one line; no string holds a raw line break, so only layout matches.
    row_of_numbers = re.compile(r'\[\n\s+([^\[\]{}"]*?)\n\s*\]')
    return row_of_numbers.sub(lambda row: "[" + re.sub(r",\s+", ", ", row[1]) + "]", text) + "\n"


def _plain(value: Any, digits: int = 17) -> Any:
    """``value`` in JSON's own types: arrays as lists, named tuples as objects, paths as text, nan as null;
    with so many significant ``digits``, of which 17 are all.
    """
    if hasattr(value, "_asdict"):
        value = value._asdict()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item, digits) for name, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item, digits) for item in value]
    if isinstance(value, float):
        return _round(value, digits) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def _thin(row: Sequence[float] | np.ndarray, epochs: Sequence[int]) -> list[float]:
    return [_round(float(row[epoch - 1])) if epoch <= len(row) else math.nan for epoch in epochs]


def _round(value: float, digits: int = SIGNIFICANT_DIGITS) -> float:
    return float(f"{float(value):.{digits}g}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it contains {name}")
