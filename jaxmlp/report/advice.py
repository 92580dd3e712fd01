"""What to do next, by what a report found."""

import shlex
from collections.abc import Iterator

import numpy as np

from jaxmlp.report.contents import BOOSTING, LINEAR, Report, hardest_rows
from jaxmlp.report.thresholds import helps

_FEW = 1000
"""Rows below which intervals are wide."""


def advise(report: Report) -> list[str]:
    """A sentence for each thing that is worth doing, the first first."""
    return [*_about_baselines(report), *_about_data(report), *_about_use(report)]


def _about_baselines(report: Report) -> Iterator[str]:
    if report.learnt_nothing:
        yield (
            "Ask whether the columns can tell the target at all: a person who knows them should be able to "
            "say of some rows what it will be. More epochs and settings seldom help; more rows may."
        )
    for one in report.rivals("ahead"):
        where = " of scikit-learn, on the table as it is" if one.kind == BOOSTING else ""
        yield f"Use {one.name}{where}: it is better here."
    for one in [] if report.learnt_nothing else report.rivals("level"):
        if one.kind == LINEAR:
            yield f"Where a model must be explained, use {one.name}: nothing shows that it is worse."


def _about_data(report: Report) -> Iterator[str]:
    if report.sole_column is not None:
        yield f"Find out when the column {report.sole_column!r} is filled; if after the target, leave it out."
    if len(report.held_out.targets) < _FEW:
        yield "Rows are few: four times as many would halve every interval."
    if len(hidden := [name for name, rises in report.importance.items() if rises.mean() <= 0]) > 1:
        named = ", ".join(hidden[:5]) + (f" and {len(hidden) - 5} more" if len(hidden) > 5 else "")
        yield f"Try without columns that seem to tell nothing: {named}."
    what, wrong = ("images", "labels") if report.has_images else ("rows", "entries")
    if not report.held_out.class_names or len(hardest_rows(report.held_out, 1)):
        yield f"Look at the hardest {what}: wrong {wrong} stand there first."


def _about_use(report: Report) -> Iterator[str]:
    judged = report.held_out
    if report.thresholds:
        plain, chosen = report.thresholds[0], report.thresholds[-1]
        positive = str(judged.class_names[judged.positive])
        if helps(chosen, plain) and abs(plain.threshold - chosen.threshold) > 0.05:
            flag = f"--threshold {shlex.quote(f'{positive}={chosen.threshold:.3g}')}"
            yield f"Decide for {positive!r} from a probability of {chosen.threshold:.3g} on, not 0.5: {flag}."
        share = float(np.mean(judged.targets == judged.positive))
        if share < 0.2 and not report.splits.class_weights:
            yield f"If {positive!r} matters more than its share, try --class-weight balanced, or --cost."
    if report.splits.columns is not None:
        yield "Predict new rows: jaxmlp predict model.safetensors new_rows.csv, or jaxmlp.predict_table."
    elif report.has_images:
        yield "Predict new images: jaxmlp predict model.safetensors image.png, or jaxmlp.predict."
