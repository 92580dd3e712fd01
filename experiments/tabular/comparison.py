"""What the measured losses say together: ranks, ratios to this library's, and who wins how often."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from experiments.harness.answers import Measures, slug
from experiments.tabular.measure import Outcome
from experiments.tabular.peers import OURS
from experiments.tabular.tables import Frame
from jaxmlp.statistics import summarize

LOSSES = {"log_loss": "nats", "rmse": "target's unit"}
"""What systems are compared by, and its unit."""
UNITS = LOSSES | {"accuracy": "fraction"} | dict.fromkeys(("wall", "cpu", "warm_wall", "warm_cpu"), "s")


class Ratio(NamedTuple):
    """How many times this library's loss another system's is, the geometric mean over tables; above 1 this
    library is better.
    """

    mean: float
    interval: tuple[float, float] | None
    """Student's 95 % interval over tables."""
    without_two_largest: float | None
    """The same without the two tables on which this library wins most."""
    wins: int
    """Tables on which this library's loss is the smaller one."""
    num_tables: int


def frame_of(outcomes: Iterable[Outcome]) -> Frame:
    """A row for each outcome: table, system, split, version, all measures by name, and as "loss" what systems
    are compared by.
    """
    import pandas

    rows = []
    for table, system, split, measured in map(msgspec.structs.astuple, outcomes):
        loss = next(value for name, value in measured.losses.items() if name in LOSSES)
        row = {"table": table, "system": system, "split": split, "version": measured.version, "loss": loss}
        rows.append(row | measured.losses | measured.seconds)
    return pandas.DataFrame(rows)


def systems_of(frame: Frame) -> list[str]:
    """All that were measured on any table, this library first."""
    return sorted(frame["system"].unique(), key=lambda name: name != OURS)


def log_ratios(frame: Frame) -> dict[str, dict[str, np.ndarray]]:
    """Of each other system, for each table on which both were measured, the logarithm of its loss over this
    library's, on the splits that both have.
    """
    losses, found = frame.set_index(["table", "split"])["loss"], {}
    of = {system: losses[frame["system"].to_numpy() == system] for system in systems_of(frame)}
    for system, theirs in of.items() if OURS in of else ():
        ratios = np.log(theirs / of[OURS]).dropna()
        if system != OURS and len(ratios):
            tables = ratios.groupby("table", sort=False)
            found[system] = {str(table): each.to_numpy() for table, each in tables}
    return found


def summarize_ratios(logarithms: Mapping[str, np.ndarray]) -> Ratio:
    """The Ratio that the logarithms of each table's splits make."""
    of_tables = np.sort([values.mean() for values in logarithms.values()])
    (mean, _, interval, number), fewer = summarize(of_tables), of_tables[:-2]
    return Ratio(
        mean=float(np.exp(mean)),
        interval=None if interval is None else (float(np.exp(interval[0])), float(np.exp(interval[1]))),
        without_two_largest=float(np.exp(fewer.mean())) if len(fewer) else None,
        wins=int(np.sum(of_tables > 0)),
        num_tables=number,
    )


def ranks(frame: Frame) -> dict[str, list[float]]:
    """Of each system its rank by mean loss, from 1, on each table on which all of them were measured."""
    means = frame.pivot_table("loss", "table", "system", sort=False).dropna()
    return {name: means.rank(axis=1)[name].tolist() for name in systems_of(frame) if len(means)}


def measures(frame: Frame) -> Measures:
    """Ranks first, then the logarithms of the ratios, table by table, then all losses and seconds."""
    measured: Measures = {f"mean_rank_{slug(name)}": (each, "1") for name, each in ranks(frame).items()}
    for system, each in log_ratios(frame).items():
        measured[f"log_loss_ratio_{slug(system)}"] = [values.mean() for values in each.values()], "1"
    for (table, system), rows in frame.groupby(["table", "system"], sort=False):
        for name in rows.columns.intersection([*UNITS]):
            label = f"{slug(table)}_{slug(system)}_{name}" + "_time" * (UNITS[name] == "s")
            if len(values := rows[name].dropna()):
                measured[label] = values.to_numpy(), UNITS[name]
    return measured


def summaries(frame: Frame) -> dict[str, Any]:
    """For the record: the ratios, and the versions in which each system was measured."""
    return {
        "ratios": {system: summarize_ratios(each) for system, each in log_ratios(frame).items()},
        "versions": {system: sorted(rows["version"].unique()) for system, rows in frame.groupby("system")},
    }
