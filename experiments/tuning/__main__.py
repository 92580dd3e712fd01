"""How long does a tuned network take, from the start of a process to a saved file, and how good is it?

    python -m experiments.tuning

lets this library's default search and scikit-learn's own, HalvingRandomSearchCV of 27 perceptrons over what
matters most, learn from the same rows of the digits that scikit-learn ships, in a process each: ten splits,
this library with nothing compiled yet ("cold") and then with what that left in its cache ("warm").
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.harness import flags
from experiments.harness.answers import Answer, Measures, Record, compared, counted, said, sign, slug, values
from experiments.harness.apart import started
from experiments.harness.command import main
from experiments.harness.receipt import Findings
from jaxmlp import InputError, load_dataset
from jaxmlp.plots import charts
from jaxmlp.runtime.signals import exit_if_stopped

WAYS = {"jaxmlp, cold": "jaxmlp", "jaxmlp, warm": "jaxmlp", "scikit-learn": "scikit-learn"}
"""What is measured -> the system."""
UNITS = {"accuracy": "fraction", "time": "s", "cpu_time": "s"}


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {"num_seeds": 1, "dataset": "iris"}
    QUICK: ClassVar[flags.Sizes] = {"num_seeds": 2}

    num_seeds: int = 10
    """Splits."""
    dataset: str = "digits"
    """Name of the data, of classes: digits, wine, …"""


def run(config: Config) -> Iterator[Findings]:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for seed in config.seeds:
        with tempfile.TemporaryDirectory() as folder:
            write_rows(config.dataset, seed, Path(folder))
            for way, system in WAYS.items():
                exit_if_stopped()
                found[way].append(search(system, seed, Path(folder)))
        yield Findings(config.dataset, measures(found), notes={"varied": "split"})


def write_rows(name: str, seed: int, folder: Path) -> None:
    """The rows of one split to learn from and to test on."""
    splits = load_dataset(name, split_seed=seed, validation_fraction=0.0)
    if not splits.class_names:
        raise InputError(f"dataset: must be of classes, got {name!r}")
    pairs = product(("train", "test"), ("inputs", "targets"))
    np.savez(folder / "rows.npz", **{f"{p}_{kind}": getattr(getattr(splits, p), kind) for p, kind in pairs})


def search(system: str, seed: int, folder: Path) -> dict[str, float]:
    """One search in a process of its own, with the cache of programs that is in ``folder``: the seconds until
    the file was there, from the start of the process, those of computing, and the accuracy.
    """
    arguments, began = (system, folder / "rows.npz", seed, folder / "found"), time.time()
    environment = {"JAXMLP_CACHE_DIR": str(folder)}
    with started("experiments.tuning.worker", *arguments, environment=environment) as ask:
        saved, cpu, accuracy = ask("search")
    return {"accuracy": accuracy, "time": saved - began, "cpu_time": cpu}


def measures(found: Mapping[str, list[dict[str, float]]]) -> Measures:
    of = {way: {name: np.array([one[name] for one in each]) for name in UNITS} for way, each in found.items()}
    theirs, measured = of["scikit-learn"], Measures()
    for way in ("warm", "cold"):
        measured[f"ratio_{way}"] = theirs["time"] / of[f"jaxmlp, {way}"]["time"], "1"
    measured["accuracy_difference"] = of["jaxmlp, cold"]["accuracy"] - theirs["accuracy"], "fraction"
    for way, name in product(of, UNITS):
        measured[f"{slug(way)}_{name}"] = of[way][name], UNITS[name]
    return measured


def answer(record: Record) -> Answer:
    cold, warm = (
        compared(record, f"ratio_{way}", "faster", "slower", than=1, splits=True) for way in ("cold", "warm")
    )
    return Answer(
        "ratio_warm",
        f"From the start of a process to a saved ensemble {said(record, 'jaxmlp_cold_time')}, and "
        f"{said(record, 'jaxmlp_warm_time')} with programs in the cache, {cold} and {warm} times as fast as "
        f"scikit-learn's search; accuracy {said(record, 'jaxmlp_cold_accuracy')} against "
        f"{said(record, 'scikit_learn_accuracy')}: {compared(record, 'accuracy_difference', splits=True)} "
        f"({counted(record, 'ratio_warm')})",
        sign(record, "ratio_warm", than=1, splits=True) != 0,
    )


def draw(record: Record, folder: Path) -> None:
    panels = {
        title: {way: values(record, f"{slug(way)}_{end}") for way in WAYS}
        for title, end in {"seconds": "time", "accuracy": "accuracy"}.items()
    }
    xlabel = ["seconds to a saved file", "test accuracy"]
    charts.point_plot(panels, folder / "tuning.png", xlabel=xlabel, percent=["accuracy"])


if __name__ == "__main__":
    main(Config, run, draw, answer)
