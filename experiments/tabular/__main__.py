"""Does an ensemble from default ranges beat what people would pick for a table? Real tables, the same splits.

    python -m experiments.tabular --tables FOLDER

trains this library's ensemble, gradient boosting (CatBoost, LightGBM, scikit-learn's), RealMLP, TabM, a
linear model and scikit-learn's perceptron, tuned by its own search, on the same 80 % of at most 12,000 rows
and tests them on the rest, each in a process of its own: on the CSV files in FOLDER, whose column "target" is
to be predicted, and on what scikit-learn ships. What is not installed is named and left out (pip install -e
'.[peers]' brings all). Each outcome is kept in measured.jsonl as it comes, and what is there already is not
measured again, so that a run goes on where another one ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.harness import flags
from experiments.harness.answers import Answer, Record, listed, sign, slug
from experiments.harness.apart import ProcessError
from experiments.harness.command import main
from experiments.harness.receipt import Findings
from experiments.tabular import comparison, figures, tables
from experiments.tabular.comparison import frame_of
from experiments.tabular.measure import Outcome, measure_apart, read_outcomes, write_outcomes
from experiments.tabular.peers import OURS, Peer, ablations, peers
from jaxmlp import checks
from jaxmlp.runtime.signals import exit_if_stopped


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {
        "num_seeds": 1,
        "num_seeds_large": 1,
        "systems": (OURS, "linear", "HistGradientBoosting", "LightGBM", "CatBoost"),
    }
    QUICK: ClassVar[flags.Sizes] = {
        "num_seeds": 1,
        "datasets": ("wine", "diabetes"),
        "systems": (OURS, "HistGradientBoosting", "linear"),
    }

    num_seeds: int = 10
    """Splits of a table of fewer than 2,000 rows."""
    num_seeds_large: flags.Count = 3
    """Splits of a larger one."""
    tables: Path | None = None
    """Folder of CSV files with a column "target" (default: ../shared/tables, if it is there)."""
    datasets: tuple[str, ...] = ()
    """Names of the tables to measure on (default: all)."""
    systems: tuple[str, ...] = ()
    """Names of the systems to measure (default: all that are installed)."""
    ablation: bool = False
    """Measure this library with the parts of its recipe switched off one at a time, and no other system."""


def run(config: Config) -> Iterator[Findings]:
    sources, systems = tables.find_tables(config.tables), chosen_systems(config)
    names = config.datasets or tuple(sources)[: 2 if config.smoke else None]
    chosen = {checks.known_name("datasets", name, sources): sources[name] for name in names}
    path = kept_in(config.folder, config.smoke)
    if config.smoke:
        path.unlink(missing_ok=True)
    outcomes = read_outcomes(path)
    for name, source in chosen.items():
        is_small = len(tables.read_rows(source)) < tables.SMALL
        seeds = range(config.seed, config.seed + (config.num_seeds if is_small else config.num_seeds_large))
        for system, seed in product(systems, seeds):
            key = name, system, seed
            if key not in outcomes and (found := outcome(config, source, *key)):
                outcomes[key] = found
                write_outcomes(path, outcomes)
        if outcomes:
            frame = frame_of(outcomes.values())
            yield Findings(
                ", ".join(frame["table"].unique()),
                comparison.measures(frame),
                tables=comparison.summaries(frame),
                notes={"varied": "split"},
            )


def kept_in(folder: Path, is_trial: bool) -> Path:
    """The file of outcomes; what a trial measures is not to be taken for the real thing later."""
    return folder / ("trial.jsonl" if is_trial else "measured.jsonl")


def draw(record: Record, folder: Path) -> None:
    """The pictures, from the file of outcomes beside the record."""
    figures.draw(folder, frame_of(read_outcomes(kept_in(folder, record["config"]["smoke"])).values()))


def answer(record: Record) -> Answer:
    ratios = record["tables"]["ratios"]
    if not ratios:
        return Answer(next(iter(record["metrics"])), "Nothing to compare with was measured", shown=False)
    rival, *others = sorted(ratios, key=lambda name: ratios[name]["mean"])
    mean, wins, number = (ratios[rival][name] for name in ("mean", "wins", "num_tables"))
    name = f"log_loss_ratio_{slug(rival)}"
    word = {1: "Yes", -1: "No", 0: "No difference shown"}[sign(record, name)]
    # Student's, of the logarithms: so few tables drawn anew and anew vary too little.
    low, high = np.exp(record["metrics"][name]["interval"] or (-np.inf, np.inf))
    parts = [", ".join(f"{other} {ratios[other]['mean']:.2f}" for other in sorted(others))] if others else []
    now = (record.get("commit") or "")[:7]
    for system, versions in record["tables"]["versions"].items():
        if len(versions) > 1 or (now and system == OURS and versions != [f"{OURS} {now}"]):
            parts.append(f"{system} was measured as {listed(versions)}")
    text = f"{word}: the loss of {rival}, the best of the others, is {mean:.2f} times ours in geometric mean"
    text += f" (95 % from {low:.2f} to {high:.2f} over {number} tables, ahead on {wins})"
    return Answer(name, "; ".join([text, *parts]), sign(record, name) != 0)


def chosen_systems(config: Config) -> dict[str, Peer]:
    """The systems that the flags name; a line tells of each that is not installed."""
    known = {OURS: peers()[OURS]} | ablations() if config.ablation else peers()
    wanted = {checks.known_name("systems", name, known): known[name] for name in config.systems or known}
    missing = {name: peer.package for name, peer in wanted.items() if find_spec(peer.package) is None}
    for name, package in missing.items():
        print(f"{name}: left out, since {package} is not installed (pip install -e '.[peers]')")
    return {name: peer for name, peer in wanted.items() if name not in missing}


def outcome(config: Config, source: str, name: str, system: str, seed: int) -> Outcome | None:
    """What a system reaches on one split of a table, and a line of it; None if it could not do it."""
    exit_if_stopped()
    try:
        found = measure_apart(system, source, seed, config.smoke)
    except ProcessError as error:
        print(f"{name}, split {seed}: {system} is left out: {error}", flush=True)
        return None
    told = ", ".join(f"{measure} {value:.4g}" for measure, value in found.losses.items())
    clock = ", ".join(f"{clock} {value:.1f} s" for clock, value in found.seconds.items())
    print(f"{name}, split {seed}: {system} {told}; {clock}", flush=True)
    return Outcome(name, system, seed, found)


if __name__ == "__main__":
    main(Config, run, draw, answer)
