"""Is the score that a search hands back honest, or does choosing an ensemble by it make it too good?

    python -m experiments.optimism --tables FOLDER

trains the default ensemble on 80 % of a table, for each of 10 splits, and compares the held out loss of what
it chose with its loss on the 20 % that nothing has seen: on the CSV files in FOLDER, whose column "target" is
to be predicted, and on what scikit-learn ships. The same where there is nothing to learn, so that all that is
chosen is chance: 200 rows of ten normal numbers with a coin's classes, and 2,000 new rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

import jaxmlp
from experiments.harness import flags
from experiments.harness.answers import Answer, Record, listed, said, sign, slug
from experiments.harness.command import main
from experiments.harness.receipt import Findings
from experiments.tabular import tables
from experiments.tabular.peers import SMOKE
from experiments.tabular.tables import TARGET, Frame
from jaxmlp import checks
from jaxmlp.plots import charts
from jaxmlp.runtime.signals import exit_if_stopped
from jaxmlp.types import Numbers

NOISE, NOISE_COLUMNS = "noise", 10
NOISE_ROWS = 200, 2_000
"""Rows to learn from, and new ones."""


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {"num_seeds": 2, "num_draws": 2}
    QUICK: ClassVar[flags.Sizes] = {"num_seeds": 3, "num_draws": 5, "datasets": (NOISE, "wine")}

    num_seeds: int = 10
    """Splits of each table."""
    num_draws: flags.Count = 30
    """Tables of noise."""
    tables: Path | None = None
    """Folder of CSV files with a column "target" (default: ../shared/tables, if it is there)."""
    datasets: tuple[str, ...] = ()
    """Names of the tables to measure on, noise among them (default: all)."""


def run(config: Config) -> Iterator[Findings]:
    sources = tables.find_tables(config.tables) | {NOISE: NOISE}
    names = config.datasets or tuple(sources)
    chosen = {checks.known_name("datasets", name, sources): sources[name] for name in names}
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, source in chosen.items():
        rows = np.array([losses(*parts, config) for parts in draw_parts(source, config)])
        found[name] = dict(zip(("held_out", "unseen"), rows.T, strict=True))
        yield Findings(
            ", ".join(found),
            {f"{slug(table)}_optimism": (excess(each), "fraction") for table, each in found.items()},
            tables={"losses": found},
            notes={"varied": "split"},
        )


def excess(losses: Mapping[str, Numbers]) -> np.ndarray:
    """By how much the loss on new rows is larger, split by split, as a share of the mean held out loss."""
    held_out, unseen = (np.array(losses[part], float) for part in ("held_out", "unseen"))
    return (unseen - held_out) / held_out.mean()


def draw_parts(source: str, config: Config) -> Iterator[tuple[Frame, Frame, int]]:
    """The rows to learn from, new ones, and the seed of each split."""
    if source == NOISE:
        yield from ((*noise(seed), seed) for seed in range(config.seed, config.seed + config.num_draws))
        return
    frame = tables.read_rows(source, config.smoke)
    for seed in config.seeds:
        split = tables.cut(frame, seed)
        yield frame.loc[split.train.index], frame.loc[split.test.index], seed


def noise(seed: int) -> tuple[Frame, Frame]:
    """Numbers that say nothing about the classes beside them."""
    import pandas

    draws = np.random.default_rng(seed)
    frame = pandas.DataFrame(draws.normal(size=(sum(NOISE_ROWS), NOISE_COLUMNS))).add_prefix("number ")
    frame[TARGET] = draws.choice(["heads", "tails"], len(frame))
    return frame[: NOISE_ROWS[0]], frame[NOISE_ROWS[0] :]


def losses(train: Frame, test: Frame, seed: int, config: Config) -> tuple[float, float]:
    """What the chosen ensemble's loss is on held out rows, and on those of ``test``."""
    exit_if_stopped()
    splits = jaxmlp.read_table(train, TARGET, test=test, split_seed=seed)
    options = SMOKE if config.smoke else {}
    found = jaxmlp.fit_ensemble(splits, seed=seed, progress=config.progress, **options)
    loss = "rmse" if splits.task == "regression" else "log_loss"
    return found.score[loss], jaxmlp.evaluate(found.ensemble, splits.test)[loss]


def answer(record: Record) -> Answer:
    names = {name: f"{slug(name)}_optimism" for name in record["tables"]["losses"]}
    # Tables of noise share no rows, as the splits of a real one do.
    shown = {name: sign(record, metric, splits=name != NOISE) for name, metric in names.items()}
    too_good = [name for name in names if shown[name] > 0]
    text = f"Too good on {listed(too_good)}" if too_good else "No score is shown to be too good"
    sizes = {name: record["metrics"][metric]["n"] for name, metric in names.items()}
    each = ", ".join(f"{name} {said(record, names[name])} (n = {sizes[name]})" for name in names)
    first = next(iter(names.values()))
    text = f"{text}. Loss on new rows minus held out loss, in shares of it: {each}"
    return Answer(first, text, any(shown.values()))


def draw(record: Record, folder: Path) -> None:
    """How much larger the loss on new rows is, each split a point."""
    rows = {name: excess(each) for name, each in record["tables"]["losses"].items()}
    xlabel, title = "loss on new rows minus held out loss, in shares of it", "Above 0, the score was too good"
    charts.point_plot({"": rows}, folder / "optimism.png", xlabel=xlabel, percent=True, title=title)


if __name__ == "__main__":
    main(Config, run, draw, answer)
