"""Can ranges instead of values be tuned by one program? Every network learning, and a calibrated ensemble.

    python -m experiments.sweep --learning-rate 1e-4:1e-1:log --optimizer adamw,nadamw

draws settings from the ranges, trains all of them in step, cuts those that fall behind, and hands back the
best network and an ensemble, chosen and calibrated on validation data and tested once. A range is low:high,
low:high:log, a,b,c or a constant; what is not given has a good default. For a table of your own there is the
command: jaxmlp fit my_table.csv --target bought.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.harness.answers import Answer, Record, said
from experiments.harness.command import main
from experiments.harness.flags import SMOKE_EXAMPLES, DeviceConfig, Sizes, checkpoints
from experiments.harness.receipt import Findings
from jaxmlp.cli import findings
from jaxmlp.cli.findings import Outcome
from jaxmlp.cli.flags import SearchFlags, check_flags, plan_of
from jaxmlp.data import sources
from jaxmlp.data.splits import first_examples
from jaxmlp.statistics import format_mean
from jaxmlp.sweep import search, space
from jaxmlp.sweep.cost import describe_plan
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints


@dataclass(frozen=True)
class Config(SearchFlags, DeviceConfig):
    SMOKE: ClassVar[Sizes] = {"num_epochs": 2}
    QUICK: ClassVar[Sizes] = {"dataset": "digits"}

    num_seeds: int = 1
    """Whole sweeps, each on a split and with draws of its own; several give error bars."""
    dataset: str = "mnist"
    """Name of the data: digits, wine, … or any image set of tensorflow-datasets."""


def run(config: Config) -> Findings:
    ranges, outcomes = check_flags(config), []
    for seed in config.seeds:
        kept = checkpoints(config, f"sweep-{seed}")
        outcomes.append(sweep(config, ranges, seed, kept))
        if outcomes[-1].found.sweep.interrupted:
            print("--resume goes on from here")
            break
        if config.checkpoint_every is None:
            clear_checkpoints(kept)
    first = outcomes[0]
    swept = first.found.sweep
    findings.save_models(config.folder, first)
    values = {name: np.array([outcome.metrics[name] for outcome in outcomes]) for name in first.metrics}
    return Findings(
        first.splits.name,
        {name: (value, findings.unit_of(name)) for name, value in values.items()},
        curves={f"member_{name}": rows for name, rows in swept.history.items()},
        tables=findings.tables_of(first),
        seconds={key: sum(o.found.sweep.seconds[key] for o in outcomes) for key in ("compile", "train")},
        notes={"fates": swept.statuses, "best": swept.best.member, "interrupted": bool(swept.interrupted)},
        pictures=lambda folder: findings.draw(folder, first),
    )


def sweep(config: Config, ranges: dict[str, space.Distribution], seed: int, kept: Checkpoints) -> Outcome:
    """One sweep on one split; the test part is read once, at the end."""
    cut: Any = {"split_seed": seed, "validation_fraction": config.validation_fraction}
    splits = sources.load_dataset(config.dataset, manual_dir=config.manual_dir, **cut)
    splits = first_examples(splits, SMOKE_EXAMPLES) if config.smoke else splits
    plan = plan_of(config, splits, ranges, seed, config.mesh)
    describe_plan(*plan)
    return findings.measured(splits, search.fit_members(*plan, checkpoints=kept, progress=config.progress))


def answer(record: Record) -> Answer:
    measure = next(name for name in ("accuracy", "rmse") if f"ensemble_test_{name}" in record["metrics"])
    low, high = record["tables"]["intervals"]["ensemble_minus_best_member"]
    metric = record["metrics"]["ensemble_minus_best_member"]
    shown, unit = low > 0 or high < 0, metric["unit"]
    return Answer(
        f"ensemble_test_{measure}",
        f"The ensemble's {measure} is {said(record, f'ensemble_test_{measure}')}, that of its best member "
        f"{said(record, f'best_member_test_{measure}')}: {'' if shown else 'no difference shown, '}"
        f"{format_mean(low, None, unit)} to {format_mean(high, None, unit)} between them over the examples"
        + f" of the first of {metric['n']} sweeps"
        * (metric["n"] > 1),
        shown,
    )


def draw(record: Record, folder: Path) -> None:
    """Nothing: several pictures show weights, and the others are drawn with them, by ``run``."""


if __name__ == "__main__":
    main(Config, run, draw, answer)
