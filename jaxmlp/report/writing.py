"""From a search to its report: ten lines for the terminal, and one page of HTML."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.checks import first_line
from jaxmlp.data.splits import Splits, join_parts
from jaxmlp.report import sections
from jaxmlp.report.advice import advise
from jaxmlp.report.baselines import fit_baselines
from jaxmlp.report.columns import InputColumn, input_columns
from jaxmlp.report.contents import MAX_COLUMNS, Effect, Report
from jaxmlp.report.importance import column_importance, honest_sample, outputs_of, partial_dependence
from jaxmlp.report.judged import Judged
from jaxmlp.report.markup import items, page, paragraph
from jaxmlp.report.measures import measure
from jaxmlp.report.sentences import tell
from jaxmlp.report.thresholds import Cost, check_cost, choose_thresholds
from jaxmlp.runtime.console import warn
from jaxmlp.runtime.files import write_file
from jaxmlp.types import AnyArray, InputError

if TYPE_CHECKING:
    from jaxmlp.sweep.ensembles import SearchResult

_NUM_EFFECTS = 5
_SECTIONS: dict[str, sections.Section] = {
    "": lambda report, _: items(tell(report), "short"),
    "Baselines": sections.baselines,
    "How good it is": sections.how_good,
    "From which probability on": sections.class_balance,
    "Mistakes": sections.mistakes,
    "Errors": sections.errors,
    "What it depends on": sections.what_it_depends_on,
    "The hardest rows": sections.hardest,
    "How the data were read": sections.how_read,
    "How it learnt": sections.how_it_learnt,
    "What it cost": sections.what_it_cost,
    "What to do next": lambda report, _: items(advise(report)),
}


def write_report(
    found: "SearchResult",
    splits: Splits,
    path: str | Path,
    *,
    baselines: bool = True,
    cost: Cost | None = None,
) -> Path:
    """Writes what was ``found`` in ``splits`` to ``path``, one file of HTML with its pictures inside: how it
    stands against simpler models, if ``baselines``, what it reaches, what it depends on.

    ``cost`` of a false positive and of a false negative gives a threshold for these, too. What cannot be
    found out is named there, and stops nothing. Returns the path; raises InputError when the file cannot be
    written.
    """
    return write_page(make_report(found, splits, baselines=baselines, cost=cost), path)


def make_report(
    found: "SearchResult", splits: Splits, *, baselines: bool = True, cost: Cost | None = None
) -> Report:
    """Everything that a report tells, as numbers."""
    _check_found(found)
    check_cost(cost, splits.task)
    judged, test = held_out_rows(found, splits), test_rows(found, splits)
    attempts, own = _Attempts({}, []), found.out_of_fold
    compared, thresholds, measures = None, [], {}
    if baselines:
        trained = sum(found.sweep.seconds.values())
        compared = attempts.make("baselines", None, fit_baselines, judged, own, splits, trained)
    for part, rows in (("held out", judged), ("test", test)):
        if len(rows.targets):
            name = f"measures of {part} rows"
            measures[part] = attempts.make(name, {}, measure, rows)
    if splits.task == "binary":
        thresholds = attempts.make("thresholds", [], choose_thresholds, judged, own.parts, cost)
    columns = input_columns(splits)
    importance: Any = ({}, [])
    if 0 < len(columns) <= MAX_COLUMNS:
        importance = attempts.make(
            "importance of columns", importance, _depends, found, judged, test, columns
        )
    told = compared, measures, thresholds, *importance, *attempts
    return Report(found, splits, judged, test, *told)


def _check_found(found: Any) -> None:
    """InputError for an estimator, a model or what else is not what a search hands back."""
    if not hasattr(found, "out_of_fold"):
        raise InputError(
            f"found: must be what fit_ensemble hands back for these splits, got {type(found).__name__}; call "
            "it on splits of read_table or from_arrays"
        )


class _Attempts(NamedTuple):
    """What was tried: how long each took, and what went wrong."""

    seconds: dict[str, float]
    notes: list[str]

    def make(self, name: str, default: Any, make: Callable[..., Any], *arguments: Any) -> Any:
        """What ``make`` makes of ``arguments``, or else ``default``: whatever goes wrong here, the models are
        saved, and the rest is worth having.
        """
        began = time.perf_counter()
        try:
            return make(*arguments)
        except Exception as error:
            self.notes.append(f"{name}: left out, {type(error).__name__}: {first_line(error)}")
            return default
        finally:
            self.seconds[name] = time.perf_counter() - began


def _depends(
    found: "SearchResult", judged: Judged, test: Judged, columns: Sequence[InputColumn]
) -> tuple[dict[str, Float[np.ndarray, " repeats"]], list[Effect]]:
    """The importance of columns, and the effects of the first."""
    sample, predict_rows = honest_sample(found, judged, test)
    importance = column_importance(sample, predict_rows, columns)
    first, named = list(importance)[:_NUM_EFFECTS], {column.name: column for column in columns}
    return importance, [partial_dependence(sample, predict_rows, named[name]) for name in first]


def held_out_rows(found: "SearchResult", splits: Splits) -> Judged:
    """The rows that were held out of the networks asked; classes count as often as they come."""
    own, inputs = found.out_of_fold, join_parts(splits).train.inputs
    weights = own.weights
    if splits.class_weights:
        # Those of a validation part that was brought along have none.
        weighed = splits.validation_is_cut | (own.rows < len(splits.train.inputs))
        weights = weights / np.where(weighed, np.asarray(splits.class_weights)[own.targets], 1.0)
    judged = judge(splits, inputs[own.rows], own.targets, own.predictions, weights)
    return judged._replace(groups=own.groups)


def test_rows(found: "SearchResult", splits: Splits) -> Judged:
    """The rows of the test part, with what the ensemble says of them; there may be none."""
    part = splits.test
    if not len(part.inputs):
        empty = np.zeros((0, found.out_of_fold.predictions.shape[1]))
        return judge(splits, part.inputs, part.targets, empty)
    predictions = outputs_of(found.ensemble, np.asarray(part.inputs))
    return judge(splits, part.inputs, part.targets, predictions)._replace(groups=splits.test_groups)


def judge(
    splits: Splits,
    inputs: Shaped[AnyArray, "rows ..."],
    targets: Shaped[AnyArray, "rows ..."],
    predictions: Shaped[np.ndarray, "rows ..."],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Judged:
    """These rows, of ``splits``, with their ``predictions``."""
    targets, own = np.asarray(targets), np.ones(len(targets)) if weights is None else weights
    if not splits.class_names:
        # The number of values is said, since there may be no rows to count it from.
        targets = targets.reshape(len(targets), int(np.prod(targets.shape[1:]))).astype(float)
    predictions = np.asarray(predictions, float)
    return Judged(splits.class_names, np.asarray(inputs), targets, predictions, own, rarer_class(splits))


def rarer_class(splits: Splits) -> int:
    """The label, of two classes, with fewer rows; that of the second where they are as many."""
    if splits.task != "binary":
        return 1
    return int(np.mean(np.concatenate([part.targets for part in splits[:3]])) <= 0.5)


def write_page(report: Report, path: str | Path) -> Path:
    """The report as one file; InputError when it cannot be written."""
    with tempfile.TemporaryDirectory() as folder:
        shown = [
            (name, _section(name, make, report, Path(folder)))
            for name, make in _SECTIONS.items()
            if _suits(name, report)
        ]
    content = page(f"{report.splits.name}: what was learnt of {report.target}", shown)
    return write_file(path, content.encode())


def _suits(name: str, report: Report) -> bool:
    classes = bool(report.splits.class_names)
    suits = {"From which probability on": bool(report.thresholds), "Mistakes": classes, "Errors": not classes}
    suits["What it depends on"] = not report.has_images
    return suits.get(name, True)


def _section(name: str, make: sections.Section, report: Report, folder: Path) -> str:
    try:
        return make(report, folder)
    except Exception as error:  # As in ``_Attempts``.
        why = f"{type(error).__name__}: {first_line(error)}"
        warn(f"report: {name!r} could not be shown: {why}")
        return paragraph(f"Could not be shown: {why}", "note")
