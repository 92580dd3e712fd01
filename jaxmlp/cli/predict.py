"""``jaxmlp predict``: what a saved model says of pictures, or of the rows of tables."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from jaxtyping import Float, Shaped
from PIL import Image

import jaxmlp
from jaxmlp import checks
from jaxmlp.cli.flags import TextFlags, default
from jaxmlp.data.cells import is_float, shown
from jaxmlp.data.drawings import MNIST_EXTENT, read_drawing, read_picture
from jaxmlp.data.frames import read_frame
from jaxmlp.data.ink import composite_on, shrink
from jaxmlp.data.tables import data_name
from jaxmlp.data.targets import UNKNOWN, read_known
from jaxmlp.data.text_files import write_like
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec
from jaxmlp.models.tables import predict_table
from jaxmlp.plots.images import prediction
from jaxmlp.printing import format_percent, one_line
from jaxmlp.records import check_writable
from jaxmlp.report.judged import Judged
from jaxmlp.report.measures import FEW_RESAMPLES, measure
from jaxmlp.report.sentences import tell_measures
from jaxmlp.runtime.console import about
from jaxmlp.statistics import format_mean
from jaxmlp.types import DataFrame, InputError, Series

_TEXT = TextFlags()


@dataclass(frozen=True)
class Predict:
    """Predict pictures or the rows of tables with a saved model.

    jaxmlp predict runs/customers/model.safetensors new_customers.csv

    A table needs the columns of the one the model learnt from, in any order; the predictions stand beside its
    own columns in a CSV file, with separator and decimal mark as in the one that was read. Where the target
    is there, too, what they are worth is told, with 95 % intervals. A picture is a PNG or a JPEG of any size,
    dark on light or light on dark, with one digit or drawing that stands free.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A file that jaxmlp saved (model.safetensors), or the folder of a run."""
    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], default("", "FILE...")]
    """Pictures (PNG or JPEG), or tables (CSV or Parquet)."""
    out: Annotated[Path, default("a folder, predictions", "PATH")] = Path("predictions")
    """Folder for the results, or the file for that of a single one (.csv, .png)."""
    threshold: Annotated[str | None, default("the likelier class", "CLASS=PROBABILITY")] = None
    """Of two classes of a table, predict CLASS from this probability on and the other below, as yes=0.3; the
    report of a fit says from which on to decide. Probabilities stay as they are."""
    text: tyro.conf.OmitArgPrefixes[TextFlags] = _TEXT
    """How a text file is written."""


def run(config: Predict) -> None:
    """Predict all files; one that cannot be read is told and does not stop the others, but ends with an
    error.
    """
    if not config.files:
        raise InputError("files: name at least one picture or table after the model")
    model = jaxmlp.load(config.model)
    table = model.spec.columns is not None
    if not table and len(model.spec.input_shape) == 1:
        raise InputError(
            "model: learnt from arrays, whose columns have no names to find those of a file by; fit a table "
            "in a file, or give arrays to jaxmlp.predict"
        )
    decided = parse_threshold(config.threshold, model.spec)
    one: Callable[..., None] = partial(_predict_table, config.text, decided) if table else _predict_picture
    suffix = ".csv" if table else ".png"
    failed = 0
    for path, target in zip(config.files, _output_paths(config, suffix), strict=True):
        try:
            with about(str(path)):
                if path.resolve() == target.resolve():
                    raise InputError("out: would take the place of this file; name another")
                one(model, path, target)
        except InputError as error:
            print(one_line(f"error: {error}"), file=sys.stderr)
            failed += 1
    if failed:
        raise InputError(f"files: {failed} of {len(config.files)} could not be predicted")


def _output_paths(config: Predict, suffix: str) -> list[Path]:
    """Where each result goes; files of one name are told apart by their place."""
    if config.out.suffix.lower() in {".csv", ".png", ".parquet"} - {suffix}:
        raise InputError(f"out: must be a folder, or a file that ends with {suffix}, got {str(config.out)!r}")
    if config.out.suffix.lower() == suffix:
        if len(config.files) > 1:
            raise InputError(f"out: must be a folder for {len(config.files)} files, got {str(config.out)!r}")
        check_writable(config.out.parent)
        return [config.out]
    check_writable(config.out)
    stems = [path.stem for path in config.files]
    kind = "predictions" if suffix == ".csv" else "prediction"
    return [
        config.out / f"{stem}-{kind}{'' if stems.count(stem) == 1 else f'-{place}'}{suffix}"
        for place, stem in enumerate(stems, start=1)
    ]


def parse_threshold(text: str | None, spec: ModelSpec) -> tuple[int, float] | None:
    """``CLASS=PROBABILITY`` as the label of the class and the number; InputError for anything else but None,
    and for a model of other than a table's two classes.
    """
    if text is None:
        return None
    if spec.columns is None or len(spec.class_names) != 2:
        raise InputError("threshold: is for a table's two classes, which this model has not; leave it out")
    name, _, number = text.rpartition("=")
    names = [*map(str, spec.class_names)]
    least = float(number) if name and is_float(number) else math.nan
    if not 0 <= least <= 1:
        raise InputError(f"threshold: must be CLASS=PROBABILITY, as {names[1]}=0.3, got {text!r}")
    return names.index(checks.known_name("threshold", name, names)), least


def decide(predicted: DataFrame, names: Sequence[Any], label: int, least: float) -> DataFrame:
    """The predictions where one of two classes is taken from a probability of ``least`` on."""
    chances = predicted[f"probability of {names[label]}"]
    taken = [names[label if chance >= least else 1 - label] for chance in chances.tolist()]
    return predicted.assign(prediction=taken)


def _predict_table(
    text: TextFlags, decided: tuple[int, float] | None, model: Model, path: Path, target: Path
) -> None:
    """Write the rows with their predictions, and tell what these are worth where the target is known."""
    frame = read_frame(path, **asdict(text))
    predicted = predict_table(model, frame)
    if decided is not None:
        predicted = decide(predicted, model.spec.class_names, *decided)
    clash = [name for name in predicted if name in frame]
    if clash:
        raise InputError(f"has a column {clash[0]!r} already; rename it")
    written = write_like(target, frame.join(predicted), frame)
    print(f"{path}: {len(frame)} rows predicted in {target}")
    if written:
        print(f"  with {written}, as in this file")
    if model.spec.target in frame:
        for line in score(model.spec, frame[model.spec.target], predicted):
            print(f"  {line}")
        if data_name(path) == model.spec.dataset:
            print("  the model learnt from a file of this name: on rows it knows, a score is too good")


def score(spec: ModelSpec, values: Series, predicted: DataFrame) -> Iterator[str]:
    """The measures that people ask for first, on the rows whose target the model knows, each with its 95 %
    interval over such rows; and which rows these are not.
    """
    try:
        targets, missing = read_known(values, spec.target_kind, spec.class_names)
    except InputError as error:
        yield f"nothing could be measured: {error}"
        return
    known = targets != UNKNOWN if spec.class_names else np.isfinite(targets)
    if known.any():
        yield from _measure(spec, targets[known], predicted[known])
    else:
        yield f"nothing could be measured: 0 of {len(known)} rows have a target that is known"
    fault = "a class that was not learnt" if spec.class_names else "what is no number"
    unread = ~known & ~missing
    reasons = {"no target": missing.sum(), f"{fault}, {shown(values[unread])}": unread.sum()}
    if left_out := [f"{count:,} with {reason}" for reason, count in reasons.items() if count]:
        yield one_line(f"left out of this: {' and '.join(left_out)}")


def _measure(spec: ModelSpec, targets: np.ndarray, predicted: DataFrame) -> Iterator[str]:
    told = tell_measures(measure(_judge(spec, targets, predicted), most_resamples=FEW_RESAMPLES))
    yield f"on {len(targets):,} rows with a target, with 95 % intervals: {told}"
    if "5 %" in predicted:
        held = np.mean((predicted["5 %"] <= targets) & (targets <= predicted["95 %"]))
        yield f"intervals that should hold 90 % hold {format_mean(held, None, 'fraction')} of these"


def _judge(spec: ModelSpec, targets: np.ndarray, predicted: DataFrame) -> Judged:
    names, nothing, weights = spec.class_names, np.zeros((len(targets), 0)), np.ones(len(targets))
    if not names:
        values = predicted[["prediction"]].to_numpy(float)
        return Judged(names, nothing, targets.reshape(values.shape), values, weights)
    chances = predicted[[f"probability of {name}" for name in names]].to_numpy(float)
    decided = predicted["prediction"].to_numpy()[:, None] == np.array(names, object)
    return Judged(names, nothing, targets, chances, weights, decided=decided.argmax(axis=1))


def _predict_picture(model: Model, path: Path, target: Path) -> None:
    image = read_picture(path)
    seen, remark = see(model, image)
    (probabilities,) = jaxmlp.predict_proba(model, seen[None])
    names = [str(name) for name in model.spec.class_names]
    print(f"{path}: {sentence(probabilities, names)}")
    if remark:
        print(f"  {remark}")
    prediction(np.asarray(shrink(composite_on(image, "white"))), seen, probabilities, names, target)
    print(f"  drawn in {target}")


def sentence(probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str]) -> str:
    """The likeliest class, then the three likeliest with their probabilities."""
    order = np.argsort(-probabilities, kind="stable")[:3]
    top = ", ".join(f"{class_names[label]} {format_percent(probabilities[label])}" for label in order)
    return f"{class_names[order[0]]} ({top})"


def see(model: Model, image: Image.Image) -> tuple[Shaped[np.ndarray, "..."], str | None]:
    """What the network gets to see of a picture, and what to know of its answer."""
    low: Any = np.asarray(model.affine.shift)
    high = low + np.asarray(model.affine.scale)
    extent = model.spec.drawing_extent or MNIST_EXTENT
    return read_drawing(image, model.spec.input_shape, low, high, extent)
