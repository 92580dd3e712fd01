"""Can ranges instead of values be tuned by one program? Every network learning, and a calibrated ensemble.

    python -m experiments.sweep --learning-rate 1e-4:1e-1:log --optimizer adamw,nadamw

draws settings from the ranges, trains all of them in step, cuts those that fall behind, and hands back the
best network and an ensemble, chosen and calibrated on validation data and tested once. A range is low:high,
low:high:log, a,b,c or a constant; what is not given has a good default. For a table of your own there is the
command: jaxmlp fit my_table.csv --target bought.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments import receipt
from experiments.command_line import main
from jaxmlp.cli import findings
from jaxmlp.cli.findings import Outcome
from jaxmlp.cli.flags import SearchFlags, check_flags, plan_of
from jaxmlp.data import sources
from jaxmlp.data.splits import first_examples
from jaxmlp.sweep import search, space
from jaxmlp.sweep.cost import describe_plan
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints


@dataclass(frozen=True)
class Config(SearchFlags, receipt.DeviceConfig):
    """Settings of a sweep; every one has a default that works."""

    num_seeds: int = 1
    """Whole sweeps, each on a split and with draws of its own; several give error bars."""
    dataset: str = "mnist"
    """Name of the data: digits, wine, … or any image set of tensorflow-datasets."""


def run(config: Config) -> None:
    """Sweep, test, record, draw and tell."""
    ranges, begun, outcomes = check_flags(config), receipt.begin(config), []
    for seed in receipt.seeds(config):
        checkpoints = receipt.checkpoints(begun, config, f"sweep-{seed}")
        outcomes.append(sweep(config, ranges, seed, checkpoints))
        if outcomes[-1].found.sweep.interrupted:
            print("--resume goes on from here")
            break
        if config.checkpoint_every is None:
            clear_checkpoints(checkpoints)
    first = outcomes[0]
    swept = first.found.sweep
    findings.save_models(begun.folder, first)
    values = {name: np.array([outcome.metrics[name] for outcome in outcomes]) for name in first.metrics}
    receipt.finish(
        begun,
        config,
        dataset=first.splits.name,
        metrics={name: (value, findings.unit_of(name)) for name, value in values.items()},
        curves={f"member_{name}": rows for name, rows in swept.history.items()},
        tables=findings.tables_of(first),
        seconds={key: sum(o.found.sweep.seconds[key] for o in outcomes) for key in ("compile", "train")},
        notes={"fates": swept.statuses, "best": swept.best.member, "interrupted": bool(swept.interrupted)},
    )
    findings.draw(begun.folder, first)
    findings.tell(first, values)


def sweep(
    config: Config, ranges: dict[str, space.Distribution], seed: int, checkpoints: Checkpoints
) -> Outcome:
    """One sweep on one split; the test part is read once, at the end."""
    cut: Any = {"split_seed": seed, "validation_fraction": config.validation_fraction}
    splits = sources.load_dataset(config.dataset, manual_dir=config.manual_dir, **cut)
    splits = first_examples(splits, receipt.SMOKE_EXAMPLES) if config.smoke else splits
    flags = replace(config, num_epochs=2) if config.smoke else config
    plan = plan_of(flags, splits, ranges, seed, config.mesh)
    describe_plan(*plan)
    found = search.fit_members(*plan, checkpoints=checkpoints, progress=config.progress)
    return findings.measured(splits, found)


if __name__ == "__main__":
    main(Config, run)
