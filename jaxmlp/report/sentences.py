"""A report in about ten lines for people with data, what is wrong or surprising first."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from jaxmlp.models.calibration import coverage, interval_margin
from jaxmlp.printing import one_line
from jaxmlp.report.contents import CONSTANT, Baseline, Comparison, Report
from jaxmlp.report.judged import Judged
from jaxmlp.report.measures import Interval, Measure
from jaxmlp.report.thresholds import helps
from jaxmlp.statistics import format_mean

_RARE = 0.2
"""Share of a class below which accuracies mislead."""
_FEW = 50
"""Test rows that say little."""
_TOLD = ("accuracy", "balanced accuracy", "AUC", "log-loss", "R²", "R², mean of the targets", "RMSE")


def tell(report: Report) -> list[str]:
    """The lines, wrong or surprising things first."""
    groups = verdicts(report), surprises(report), reached(report), decisions(report), costs(report)
    return [one_line(line) for group in (*groups, report.notes) for line in group]


def verdicts(report: Report) -> list[str]:
    """How the ensemble stands against the baselines, in three lines at most."""
    compared, classes = report.comparison, bool(report.held_out.class_names)
    if compared is None:
        return []
    lines, constant = [], compared.find(CONSTANT)
    against = partial(_against, compared, classes)
    if constant and report.learnt_nothing:
        how = "as well" if constant.verdict == "level" else "better"
        lines.append(f"Nothing was learnt: {constant.name} does {how}: {against(constant)}")
    for one in report.rivals("ahead"):
        lines.append(f"{_name(one)} is better than the ensemble: {against(one)}; use it instead")
    if report.learnt_nothing:
        return lines
    for one in report.rivals("level"):
        lines.append(f"The ensemble is not shown to be better than {_name(one)}: {against(one)}")
    if not lines and (behind := report.rivals("behind")):
        names = _list([_name(one) for one in behind])
        lines.append(f"The ensemble is better than {names}: {against(behind[0])}")
    return lines


def _name(one: Baseline) -> str:
    return f"{one.name} with its defaults" if one.name.startswith("Hist") else one.name


def _against(compared: Comparison, classes: bool, one: Baseline) -> str:
    """Both losses, and their difference, as people read them: R² where there are no classes."""
    (low, high), ours, theirs = one.interval, compared.loss, one.loss
    name = "log-loss" if classes else "R²"
    if not classes:
        low, high, ours, theirs = -high, -low, 1 - ours, 1 - theirs
    values = f"{_format(ours, '1')} of the ensemble against {_format(theirs, '1')}"
    told = f"{name} {values} on {compared.describe_rows()}"
    return f"{told}, 95 % interval of the difference {signed(low)} to {signed(high)}"


def signed(value: float) -> str:
    """With its sign, as it is printed."""
    return f"{value:+.3f}".replace("-", "−")


def surprises(report: Report) -> list[str]:
    """What should be known before any figure is believed."""
    swept, lines = report.found.sweep, []
    if swept.interrupted:
        lines.append("The search was stopped before its end: all figures are those of the epochs so far")
    lost = [number for number, status in enumerate(swept.statuses) if status.startswith("not finite")]
    if lost:
        named = ", ".join(map(str, lost[:5])) + (", …" if len(lost) > 5 else "")
        share = f"{len(lost)} of {len(swept.statuses)} settings"
        lines.append(f"{share} were lost, since their loss was no number: {named}")
    if report.sole_column is not None:
        lines.append(
            f"Nearly all rests on the column {report.sole_column!r} alone: is it known before the target is?"
        )
    return [*lines, *report.splits.leaks, *_rare_class(report.held_out), *_apart(report)]


def _rare_class(judged: Judged) -> list[str]:
    if len(judged.class_names) != 2:
        return []
    share = float(np.average(judged.targets == judged.positive, weights=judged.weights))
    if share >= _RARE:
        return []
    rare, other = (repr(str(judged.class_names[place])) for place in (judged.positive, 1 - judged.positive))
    few, plain = (format_mean(one, None, "fraction") for one in (share, 1 - share))
    return [
        f"Only {few} of the rows are {rare}: always answering {other} is right in {plain}, so that accuracy "
        "says little; look at balanced accuracy and average precision"
    ]


def _apart(report: Report) -> list[str]:
    """Where test rows are harder or easier than those held out."""
    name = "accuracy" if report.held_out.class_names else "RMSE"
    ours, theirs = (report.measures.get(part, {}).get(name) for part in ("held out", "test"))
    if not (ours and theirs and ours.interval and theirs.interval) or len(report.test.targets) < _FEW:
        return []
    if ours.interval[0] <= theirs.interval[1] and theirs.interval[0] <= ours.interval[1]:
        return []
    harder = "harder" if (theirs.value > ours.value) == (name == "RMSE") else "easier"
    values = f"{name} {format_measure(theirs)} against {format_measure(ours)}"
    return [f"The test rows are {harder} than those held out of training: {values}"]


def reached(report: Report) -> list[str]:
    """The measures that people ask for first, of each kind of rows."""
    lines = []
    for part, measures in report.measures.items():
        rows = report.held_out if part == "held out" else report.test
        lines.append(f"On {len(rows.targets):,} {part} rows: {tell_measures(measures)}")
    scale = report.found.ensemble.spec.noise_scale
    if scale is not None and report.held_out.targets.shape[1] == 1:
        part, rows = ("test", report.test) if len(report.test.targets) else ("held out", report.held_out)
        held = coverage(rows.targets - rows.predictions, np.asarray(scale))
        margin, share = _format(float(interval_margin(scale[0])), "1"), _format(held, "fraction")
        lines.append(f"Intervals of ± {margin} should hold 90 %, and hold {share} of the {part} rows")
    if not report.learnt_nothing:
        names = [name for name, rises in report.importance.items() if rises.min() > 0][:5]
        if names:
            lines.append(f"Most depends on: {', '.join(names)}")
    return lines


def tell_measures(measures: Mapping[str, Measure]) -> str:
    """Those that people ask for first, each with its interval."""
    return "; ".join(f"{name} {format_measure(measures[name])}" for name in _TOLD if name in measures)


def format_measure(measure: Measure) -> str:
    """The value with its interval."""
    if not np.isfinite(measure.value):
        return "not to be measured"
    return f"{_format(measure.value, measure.unit)} ({_format_interval(measure.interval, measure.unit)})"


def _format_interval(interval: Interval, unit: str) -> str:
    """The two ends, or that there are too few rows."""
    return (
        "too few rows for an interval"
        if interval is None
        else " to ".join(_format(end, unit) for end in interval)
    )


def _format(value: float, unit: str) -> str:
    if unit == "fraction":
        return f"{100 * value:.1f} %"
    if abs(value) < 0.0005:
        return "0.000"
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"
    return text.replace("-", "−")


def decisions(report: Report) -> list[str]:
    """From which probability on a row is taken for the rarer class, and what that brings."""
    lines = []
    for one in report.thresholds[1:]:
        plain, name = report.thresholds[0], "cost per row" if "cost" in one.name else "F1"
        ours, theirs = one.measures[name], plain.measures[name]
        positive = str(report.held_out.class_names[report.held_out.positive])
        if helps(one, plain):
            lines.append(
                f"Decide for {positive!r} from a probability of {one.threshold:.3g} on, chosen {one.name}: "
                f"{name} {ours:.3f}, against {theirs:.3f} from 0.50 on"
            )
        else:
            lines.append(
                f"Decide for {positive!r} from 0.50 on: no threshold chosen {one.name} is better, {name} "
                f"{theirs:.3f}"
            )
    return lines


def costs(report: Report) -> list[str]:
    """What it took."""
    swept, networks = report.found.sweep.seconds, len(report.found.ensemble.networks)
    rest = sum(report.seconds.values()) - report.seconds.get("baselines", 0)
    parts = {**swept, "baselines": report.seconds.get("baselines", 0), "the rest of the report": rest}
    spent = [f"{name} {seconds:.0f} s" for name, seconds in parts.items() if seconds]
    return [f"{networks} network{'s' * (networks > 1)} in the ensemble; {', '.join(spent)}"]


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
