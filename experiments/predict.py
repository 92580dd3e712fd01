"""What does a trained network see in your own picture, or predict for the rows of your own table?

    python -m experiments.predict results/mnist/model.safetensors my-seven.jpg
    python -m experiments.predict results/sweep/model.safetensors new-rows.csv

Prints the class and the three largest probabilities for each picture, and draws beside each other the
picture, what the network sees of it and the probabilities. The picture may be a PNG or a JPEG of any size,
dark on light or light on dark; one digit or drawing that stands free, with some paper around it. A model of
a table takes CSV or Parquet files with the same columns, in any order, and writes its predictions as CSV.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from jaxtyping import Float, Shaped
from PIL import Image

from experiments import command_line
from jaxmlp.data.drawings import (
    MNIST_EXTENT,
    composite_on,
    read_picture,
    shrink,
    to_network_input,
)
from jaxmlp.data.tables import read_frame
from jaxmlp.models.model import Model, load
from jaxmlp.models.prediction import predict_proba
from jaxmlp.models.tables import predict_table
from jaxmlp.plots.images import prediction
from jaxmlp.records import check_writable
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config:
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A network that an experiment saved (model.safetensors)."""
    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE...")]
    """One or more pictures (PNG or JPEG), or tables (CSV or Parquet)."""
    out: Path = Path("predictions")
    """Folder for the drawings or the tables of predictions."""


def run(config: Config) -> None:
    """Predicts all files of ``config``; nothing is written before all of them could be read."""
    if not config.files:
        raise InputError("files: name at least one picture or table after the model")
    model = load(config.model)
    (predict_images if model.spec.columns is None else predict_tables)(model, config.files, config.out)


def predict_tables(model: Model, paths: Sequence[Path], out: Path) -> None:
    """Writes a table of predictions for each table."""
    predicted = [predict_table(model, read_frame(path)) for path in paths]
    check_writable(out)
    for path, frame, name in zip(paths, predicted, output_names(paths, "predictions", ".csv"), strict=True):
        frame.to_csv(out / name, index=False)
        print(f"{path}: {len(frame)} rows predicted in {out / name}")


def predict_images(model: Model, paths: Sequence[Path], out: Path) -> None:
    """Classifies and draws each picture."""
    images = [read_picture(path) for path in paths]
    seen = np.stack([_seen(model, path, image) for path, image in zip(paths, images, strict=True)])
    probabilities = predict_proba(model, seen).astype(float)
    check_writable(out)
    class_names = [str(name) for name in model.spec.class_names]
    for index, name in enumerate(output_names(paths, "prediction", ".png")):
        print(f"{paths[index]}: {sentence(probabilities[index], class_names)}")
        shown = np.asarray(shrink(composite_on(images[index], "white")))
        prediction(shown, seen[index], probabilities[index], class_names, out / name)
        print(f"  drawn in {out / name}")


def sentence(probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str]) -> str:
    """The likeliest class, then the three likeliest with their probabilities."""
    order = np.argsort(-probabilities, kind="stable")[:3]
    top = ", ".join(f"{class_names[label]} {probabilities[label]:.1%}" for label in order)
    return f"{class_names[order[0]]} ({top})"


def output_names(paths: Sequence[Path], kind: str, suffix: str) -> list[str]:
    """A file name for what is made of each file; files of the same name are told apart by their position."""
    stems = [path.stem for path in paths]
    return [
        f"{stem}-{kind}{suffix}" if stems.count(stem) == 1 else f"{stem}-{kind}-{position}{suffix}"
        for position, stem in enumerate(stems, start=1)
    ]


def _seen(model: Model, path: Path, image: Image.Image) -> Shaped[np.ndarray, "..."]:
    low = np.asarray(model.affine.shift)
    high = low + np.asarray(model.affine.scale)
    extent = model.spec.drawing_extent or MNIST_EXTENT
    try:
        return to_network_input(image, model.spec.input_shape, low, high, extent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


if __name__ == "__main__":
    command_line.main(Config, run)
