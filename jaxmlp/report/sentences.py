"""A report in about ten lines for people with data, what is wrong or surprising first."""

import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from jaxmlp.models.calibration import coverage, interval_margin
from jaxmlp.printing import format_percent, one_line
from jaxmlp.report.contents import CONSTANT, Baseline, Comparison, Report
from jaxmlp.report.judged import Judged
from jaxmlp.report.measures import Interval, Measure
from jaxmlp.report.thresholds import helps

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
    compared = report.comparison
    if compared is None:
        return []
    lines, constant = [], compared.find(CONSTANT)
    against = partial(_against, report, compared)
    if constant and report.learnt_nothing:
        found = {
            "level": f"Nothing was learnt that shows: {constant.name} is not shown to be worse",
            "ahead": f"Nothing was learnt: {constant.name} is better",
        }
        lines.append(f"{found[constant.verdict]}: {against(constant)}")
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


def _against(report: Report, compared: Comparison, one: Baseline) -> str:
    """Both losses, and their difference, as people read them: R² where there are no classes."""
    (low, high), ours, theirs = one.interval, compared.loss, one.loss
    name = "log-loss, classes weighed as in training," if report.splits.class_weights else "log-loss"
    if not report.held_out.class_names:
        name, low, high, ours, theirs = "R²", -high, -low, 1 - ours, 1 - theirs
    decimals = _num_decimals(one)
    values = f"{_fixed(ours, decimals)} of the ensemble against {_fixed(theirs, decimals)}"
    told = f"{name} {values} on {compared.describe_rows()}"
    if not math.isfinite(low):
        return f"{told}, too few that are independent for an interval of the difference"
    ends = " to ".join(_fixed(end, decimals, sign="+") for end in (low, high))
    return f"{told}, 95 % interval of the difference {ends}"


def format_difference(one: Baseline) -> str:
    """The ensemble's loss minus this one's, with its interval."""
    decimals = _num_decimals(one)
    mean, low, high = (_fixed(value, decimals, sign="+") for value in (one.difference, *one.interval))
    return f"{mean} ({low} to {high})" if math.isfinite(one.interval[0]) else f"{mean} (too few rows)"


def _num_decimals(one: Baseline) -> int:
    """With which a difference is told: three, or as many as its interval has two digits."""
    size = max(map(abs, one.interval))
    return min(max(3, 1 - math.floor(math.log10(size))), 9) if 0 < size < math.inf else 3


def _fixed(value: float, decimals: int, sign: str = "") -> str:
    return f"{value:{sign}.{decimals}f}".replace("-", "−")


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
    few, plain = map(format_percent, (share, 1 - share))
    return [
        f"Only {few} of the held out rows are {rare}: always answering {other} is right in {plain}, so that "
        "accuracy says little; look at balanced accuracy and average precision"
    ]


def _apart(report: Report) -> list[str]:
    """Where test rows are predicted worse or better than those held out."""
    name = "accuracy" if report.held_out.class_names else "RMSE"
    ours, theirs = (report.measures.get(part, {}).get(name) for part in ("held out", "test"))
    if not (ours and theirs and ours.interval and theirs.interval) or len(report.test.targets) < _FEW:
        return []
    if ours.interval[0] <= theirs.interval[1] and theirs.interval[0] <= ours.interval[1]:
        return []
    better = (theirs.value < ours.value) == (name == "RMSE")
    # A fold's rows are left to its own networks, and test rows are asked of all.
    why = (
        ", each of which fewer networks predict"
        if better and len(report.found.out_of_fold.learnt) > 1
        else ""
    )
    values = f"{name} {format_measure(theirs)} against {format_measure(ours)}"
    how = "better" if better else "worse"
    return [f"The test rows are predicted {how} than those held out of training{why}: {values}"]


def reached(report: Report) -> list[str]:
    """The measures that people ask for first, of each kind of rows."""
    lines = []
    for part, measures in report.measures.items():
        rows = report.held_out if part == "held out" else report.test
        lines.append(f"On {len(rows.targets):,} {part} rows: {tell_measures(measures)}")
    scale = report.found.ensemble.spec.noise_scale
    if scale is not None and report.held_out.targets.shape[1] == 1:
        lines.append(_tell_intervals(report, scale[0]))
    if not report.learnt_nothing:
        names = [name for name, rises in report.importance.items() if rises.min() > 0][:5]
        if names:
            lines.append(f"Most depends on: {', '.join(names)}")
    return lines


def tell_measures(measures: Mapping[str, Measure]) -> str:
    """Those that people ask for first, each with its interval."""
    return "; ".join(f"{name} {format_measure(measures[name])}" for name in _TOLD if name in measures)


def _tell_intervals(report: Report, scale: float) -> str:
    """How many of the test rows they hold, or of those that their width was chosen by."""
    is_tested = len(report.test.targets) > 0
    rows = report.test if is_tested else report.held_out
    held = format_percent(coverage(rows.targets - rows.predictions, scale))
    told = f"Intervals of ± {format_value(float(interval_margin(scale)))}"
    if is_tested:
        return f"{told} should hold 90 %, and hold {held} of the test rows"
    return f"{told} hold {held} of the held out rows, by which their width was chosen"


def format_measure(measure: Measure) -> str:
    """The value with its interval."""
    if not np.isfinite(measure.value):
        return "not to be measured"
    return f"{format_value(measure.value, measure.unit)} ({_format_interval(measure.interval, measure.unit)})"


def _format_interval(interval: Interval, unit: str) -> str:
    """The two ends, or that there are too few rows."""
    return (
        "too few rows for an interval"
        if interval is None
        else " to ".join(format_value(end, unit) for end in interval)
    )


def format_value(value: float, unit: str = "") -> str:
    """As many digits as people want to see: of what has a unit also where it is small."""
    if unit == "fraction":
        return format_percent(value)
    size = abs(value)
    if size < (0.0005 if unit == "1" else sys.float_info.min):
        return "0.000"
    if size >= 1000:
        text = f"{size:,.0f}" if size < 1e12 else f"{size:.4g}"
    elif size >= 10:
        text = f"{size:#.4g}"
    else:
        text = f"{size:.3f}" if unit == "1" or size >= 0.1 else f"{size:#.3g}"
    return f"−{text}" if value < 0 else text


def decisions(report: Report) -> list[str]:
    """From which probability on a row is taken for the rarer class, and what that brings."""
    lines = []
    for one in report.thresholds[1:]:
        plain, name = report.thresholds[0], "cost per row" if "cost" in one.name else "F1"
        unit = "" if "cost" in name else "1"
        ours, theirs = (format_value(each.measures[name], unit) for each in (one, plain))
        positive = str(report.held_out.class_names[report.held_out.positive])
        if helps(one, plain):
            lines.append(
                f"Decide for {positive!r} from a probability of {one.threshold:.3g} on, chosen {one.name}: "
                f"{name} {ours}, against {theirs} from 0.50 on"
            )
        else:
            lines.append(
                f"Decide for {positive!r} from 0.50 on: no threshold chosen {one.name} is better, {name} "
                f"{theirs}"
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
