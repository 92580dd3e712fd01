"""``jaxmlp predict``: what a saved model says of pictures, or of the rows of tables."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from jaxtyping import Float, Shaped
from PIL import Image

import jaxmlp
from jaxmlp import checks
from jaxmlp.cli.flags import TextFlags, default
from jaxmlp.data.cells import shown
from jaxmlp.data.drawings import MNIST_EXTENT, read_drawing, read_picture
from jaxmlp.data.frames import read_frame
from jaxmlp.data.ink import composite_on, shrink
from jaxmlp.data.tables import data_name
from jaxmlp.data.targets import UNKNOWN, read_known
from jaxmlp.data.text_files import write_like
from jaxmlp.models.evaluation import score_predictions
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec
from jaxmlp.models.tables import predict_table
from jaxmlp.nn.metrics import METRICS
from jaxmlp.plots.images import prediction
from jaxmlp.printing import one_line
from jaxmlp.records import check_writable
from jaxmlp.runtime.console import about
from jaxmlp.statistics import format_mean
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas

_TEXT = TextFlags()


@dataclass(frozen=True)
class Predict:
    """Predict pictures or the rows of tables with a saved model.

    jaxmlp predict runs/customers/model.safetensors new_customers.csv

    A table needs the columns of the one the model learnt from, in any order; the predictions stand beside its
    own columns in a CSV file, with separator and decimal mark as in the one that was read, and are scored
    where the target is there. A picture is a PNG or a JPEG of any size, dark on light or light on dark, with
    one digit or drawing that stands free.
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
    try:
        least = checks.fraction("threshold", float(number if name else ""))
    except ValueError:
        raise InputError(f"threshold: must be CLASS=PROBABILITY, as {names[1]}=0.3, got {text!r}") from None
    return names.index(checks.known_name("threshold", name, names)), least


def decide(
    predicted: "pandas.DataFrame", names: Sequence[Any], label: int, least: float
) -> "pandas.DataFrame":
    """The predictions where one of two classes is taken from a probability of ``least`` on."""
    chances = predicted[f"probability of {names[label]}"]
    taken = [names[label if chance >= least else 1 - label] for chance in chances.tolist()]
    return predicted.assign(prediction=taken)


def _predict_table(
    text: TextFlags, decided: tuple[int, float] | None, model: Model, path: Path, target: Path
) -> None:
    """Write the rows with their predictions, and tell the score where the target is known."""
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


def score(spec: ModelSpec, values: "pandas.Series", predicted: "pandas.DataFrame") -> Iterator[str]:
    """The measure that chooses, on the rows whose target the model knows, with its interval over such rows;
    and which rows these are not.
    """
    try:
        targets, missing = read_known(values, spec.target_kind, spec.class_names)
    except InputError as error:
        yield f"nothing could be measured: {error}"
        return
    known = targets != UNKNOWN if spec.class_names else np.isfinite(targets)
    # R² compares with the spread of the targets, which one has not.
    if known.sum() < (1 if spec.class_names else 2):
        yield f"nothing could be measured: {known.sum()} of {len(known)} rows have a target that is known"
    else:
        yield _measure(spec, targets[known], predicted["prediction"][known].to_numpy()[:, None])
    fault = "a class that was not learnt" if spec.class_names else "what is no number"
    unread = ~known & ~missing
    reasons = {"no target": missing.sum(), f"{fault}, {shown(values[unread])}": unread.sum()}
    if left_out := [f"{count:,} with {reason}" for reason, count in reasons.items() if count]:
        yield one_line(f"left out of this: {' and '.join(left_out)}")


def _measure(spec: ModelSpec, targets: np.ndarray, answers: Shaped[np.ndarray, "rows 1"]) -> str:
    if spec.class_names:
        answers = (answers == np.array(spec.class_names, object)).astype(float)
    else:
        targets = targets.reshape(answers.shape)
    name, metric = next(iter(METRICS[spec.head].items()))
    value, bounds = score_predictions(spec.head, answers, targets)
    told = [format_mean(number, None, metric.unit) for number in (value, *bounds)]
    return f"{name} {told[0]} of {len(targets)} rows with a target, 95 % interval {told[1]} to {told[2]}"


def _predict_picture(model: Model, path: Path, target: Path) -> None:
    """Say the class, and draw the picture, what the network sees of it and the probabilities."""
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
    top = ", ".join(f"{class_names[label]} {probabilities[label]:.1%}" for label in order)
    return f"{class_names[order[0]]} ({top})"


def see(model: Model, image: Image.Image) -> tuple[Shaped[np.ndarray, "..."], str | None]:
    """What the network gets to see of a picture, and what to know of its answer."""
    low: Any = np.asarray(model.affine.shift)
    high = low + np.asarray(model.affine.scale)
    extent = model.spec.drawing_extent or MNIST_EXTENT
    return read_drawing(image, model.spec.input_shape, low, high, extent)
