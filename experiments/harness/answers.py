"""Answers in words, from the numbers of a record; and the numbers themselves, as they stand there."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxmlp.records import metric_summary
from jaxmlp.statistics import format_mean

Record = Mapping[str, Any]
"""The content of a record.json."""
Measures = dict[str, tuple[Any, str]]
"""What a run measured: name → (one value for each seed, or whatever was varied; unit)."""


class Answer(NamedTuple):
    """What a record says of its question."""

    metric: str
    """The measure that answers it."""
    text: str
    """The answer in words, with what is not shown said to be so."""
    shown: bool = True
    """Whether the effect that the question is about is shown, by an interval without 0."""


def values(record: Record, name: str) -> np.ndarray:
    """One number for each seed, or whatever was varied; nan for one that was not finite."""
    return np.array(record["metrics"][name]["values"], float)


def mean(record: Record, name: str) -> float:
    """The mean of a measure; nan for one that was not finite."""
    return float(np.array(record["metrics"][name]["mean"], float))


def said(record: Record, name: str) -> str:
    """A measure in words: its mean ± standard error, with its unit."""
    metric = record["metrics"][name]
    return format_mean(metric["mean"], metric["standard_error"], metric["unit"])


def counted(record: Record, name: str) -> str:
    """Over how many of what a measure was taken: "10 seeds"."""
    n, (noun, *others) = record["metrics"][name]["n"], record["config"].get("varied", "seed").split()
    return " ".join([str(n), noun + "s" * (n != 1), *others])


def sign(record: Record, name: str, than: float = 0, *, splits: bool = False) -> int:
    """1 or -1 if a measure's 95 % interval lies above or below ``than``; otherwise 0: no difference shown.

    Random ``splits`` that test on a fifth of the same data share examples, so the interval over them is √(1 +
    n/4) times as wide (Nadeau and Bengio 2003).
    """
    metric = record["metrics"][name]
    if metric["interval"] is None or None in metric["interval"]:
        return 0
    wider = np.sqrt(1 + metric["n"] / 4) if splits else 1
    low, high = (metric["mean"] + wider * (end - metric["mean"]) for end in metric["interval"])
    return int(low > than) - int(high < than)


def by_sign(record: Record, names: Mapping[Any, str], than: float = 0) -> dict[int, list[Any]]:
    """The labels of measures that lie above ``than`` (1), below it (-1), or show no difference to it (0)."""
    signs = {label: sign(record, name, than) for label, name in names.items()}
    return {s: [label for label in signs if signs[label] == s] for s in (1, -1, 0)}


def compared(record: Record, name: str, above: str = "ahead", below: str = "behind", **options: Any) -> str:
    """A difference in words: "0.40 ± 0.02 % (ahead)", or that none is shown; ``options`` are those of
    ``sign``.
    """
    word = {1: above, -1: below, 0: "no difference shown"}[sign(record, name, **options)]
    return f"{said(record, name)} ({word})"


def paired(record: Record, one: str, other: str) -> Record:
    """A record of one measure, the ``difference`` of two, seed by seed."""
    difference = values(record, one) - values(record, other)
    return {"metrics": {"difference": metric_summary(difference, record["metrics"][one]["unit"])}}


def listed(names: Any) -> str:
    """Names or numbers as in a sentence: "1, 3 and 6"."""
    *rest, last = map(str, names)
    return f"{', '.join(rest)} and {last}" if rest else last


def slug(name: str) -> str:
    """The name as part of a metric's."""
    return "_".join("".join(c if c.isalnum() else " " for c in name).lower().split())
