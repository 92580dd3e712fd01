"""Does a network read photographs of digits as well as the digits themselves?

    python -m experiments.photographs

writes test digits of MNIST with pens of all kinds on plain, ruled and squared paper, photographs them in
uneven light, with shadows, askew, out of focus and with a sensor's noise, and has the published network read
what `jaxmlp predict` makes of the pictures; one of ten is a clean drawing, light on dark or dark on light.
The seeds below 100 are those by which the cleaning was chosen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, ImageOps

import jaxmlp
from experiments.harness import flags, plots
from experiments.harness.answers import Answer, Record, counted, said, sign, values
from experiments.harness.command import main
from experiments.harness.receipt import PUBLISHED, Findings
from experiments.photographs.camera import photograph, to_picture
from jaxmlp.cli.predict import see
from jaxmlp.data.drawings import SEVERAL
from jaxmlp.models.model import Model
from jaxmlp.plots import charts
from jaxmlp.runtime.signals import exit_if_stopped
from jaxmlp.types import AnyArray, Dataset, InputError

NUM_SHOWN = 12


@dataclass(frozen=True)
class Config(flags.ImageConfig):
    SMOKE: ClassVar[flags.Sizes] = {"dataset": "digits", "num_seeds": 2, "num_pictures": 10}

    seed: int = 100
    num_seeds: int = 10
    """Sets of pictures."""
    num_pictures: flags.Count = 200
    """Pictures of each set."""
    model: Path | None = None
    """A trained network (default: the published one of the data set)."""


def run(config: Config) -> Findings:
    splits = flags.load(config)
    model = jaxmlp.load(config.model or PUBLISHED / config.dataset / "model.safetensors")
    if tuple(map(str, model.spec.class_names)) != tuple(map(str, splits.class_names)):
        raise InputError(f"model: must know the classes of {config.dataset}, got {model.spec.class_names}")
    sets = [read(model, splits.test, config, seed) for seed in config.seeds]
    names = "photographs", "digits", "difference", "several"
    return Findings(
        config.dataset,
        {name: (each, "fraction") for name, each in zip(names, np.array(sets).T, strict=True)},
        notes={"varied": "set of pictures"},
        pictures=lambda folder: draw_examples(model, splits.test, config, folder),
    )


def read(model: Model, test: Dataset, config: Config, seed: int) -> tuple[float, ...]:
    """Of one set: the shares read right, as photographs and as they are, their difference, and the share
    taken for several digits.
    """
    exit_if_stopped()
    chosen, pictures = take(test, config.num_pictures, seed)
    seen, remarks = zip(*(see(model, picture) for picture in pictures), strict=True)
    photographs, digits = (share_right(model, x, chosen.targets) for x in (np.stack(seen), chosen.inputs))
    return photographs, digits, photographs - digits, float(np.mean([r == SEVERAL for r in remarks]))


def share_right(model: Model, inputs: AnyArray, labels: AnyArray) -> float:
    return float(np.mean(np.argmax(jaxmlp.predict_proba(model, inputs), axis=1) == labels))


def take(test: Dataset, number: int, seed: int) -> tuple[Dataset, list[Image.Image]]:
    """That many test digits, and a picture of each."""
    draws = np.random.default_rng(seed)
    chosen = draws.choice(len(test.inputs), min(number, len(test.inputs)), replace=False)
    digits = test.inputs[chosen]
    return Dataset(digits, test.targets[chosen]), [
        photograph(digit / test.inputs.max(), draws) for digit in digits
    ]


def draw_examples(model: Model, test: Dataset, config: Config, folder: Path) -> None:
    """Some of the pictures, each beside what the network sees of it."""
    chosen, pictures = take(test, NUM_SHOWN, config.seed)
    pairs = []
    for one in pictures:
        seen, _ = see(model, one)
        pairs += [thumbnail(one), thumbnail(to_picture((seen - seen.min()) / np.ptp(seen)))]
    titles = [text for label in chosen.targets for text in (str(model.spec.class_names[label]), "seen")]
    plots.image_grid(np.stack(pairs), titles, folder / "examples.png")


def thumbnail(picture: Image.Image) -> np.ndarray:
    return np.asarray(ImageOps.pad(picture.convert("RGB"), (128, 128)))


def answer(record: Record) -> Answer:
    photographs, digits, several = (said(record, name) for name in ("photographs", "digits", "several"))
    found = {1: "Better", -1: "Not quite", 0: "No difference shown"}[sign(record, "difference")]
    # The published network was chosen among those of several cuts of these few.
    learnt = "; some of these digits the network may have learnt from" * (record["dataset"] == "digits")
    return Answer(
        "photographs",
        f"{found}: of photographs {photographs} are read right, of the same digits {digits}; {several} are "
        f"taken for several digits ({counted(record, 'photographs')}){learnt}",
        sign(record, "difference") != 0,
    )


def draw(record: Record, folder: Path) -> None:
    rows = {name: values(record, name) for name in ("digits", "photographs")}
    charts.point_plot({"": rows}, folder / "photographs.png", xlabel="read right", percent=True)


if __name__ == "__main__":
    main(Config, run, draw, answer)
