"""What a report tells, as numbers."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmlp.report.columns import InputColumn
from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.report.measures import Measure
from jaxmlp.report.thresholds import Threshold
from jaxmlp.statistics import worst_examples

if TYPE_CHECKING:
    from jaxmlp.data.splits import Splits
    from jaxmlp.sweep.ensembles import SearchResult

CONSTANT, LINEAR, BOOSTING = "constant", "linear", "boosting"
NUM_REPEATS, MAX_COLUMNS, MAX_ROWS = 5, 200, 1000
"""Times that a column is shuffled; columns, and rows, of which more would take longer than they tell."""


class Baseline(NamedTuple):
    """A simpler model beside the ensemble, on the rows that both were asked for."""

    kind: str
    name: str
    predictions: Float[np.ndarray, "rows outputs"]
    """nan for rows of folds that were not asked."""
    loss: float
    """As ``judged.row_losses`` has it."""
    difference: float
    """In loss, ensemble minus baseline."""
    interval: tuple[float, float]
    """The paired 95 % interval of the difference, over the rows."""
    seconds: float

    @property
    def verdict(self) -> str:
        """Whether it is "ahead" of the ensemble, "level" with it or "behind"."""
        low, high = self.interval
        return "ahead" if low > 0 else "behind" if high < 0 else "level"


class Comparison(NamedTuple):
    """The baselines that there are, and what they were compared on."""

    baselines: list[Baseline]
    rows: Bool[np.ndarray, " rows"]
    num_folds: int
    """That these rows are of."""
    all_folds: int
    loss: float
    """Of the ensemble on these rows."""
    left_out: dict[str, str]
    """Those that could not be fitted or are not for such data, with the reason."""

    def describe_rows(self) -> str:
        """What it was compared on, in words."""
        if self.num_folds == self.all_folds:
            return f"{self.rows.sum():,} held out rows"
        folds = f"{self.num_folds} of {self.all_folds} folds"
        return f"{self.rows.sum():,} of {len(self.rows):,} held out rows ({folds})"

    def find(self, kind: str) -> Baseline | None:
        """The baseline of a kind, if there is one."""
        return next((one for one in self.baselines if one.kind == kind), None)


class Effect(NamedTuple):
    """How the average prediction goes with the values of one column, all others as they are."""

    column: InputColumn
    values: Float[np.ndarray, " values"]
    """As ``columns.typical_values`` has them."""
    averages: Float[np.ndarray, "values outputs"]


class Report(NamedTuple):
    """All that is told of a search; what could not be found out is empty."""

    found: "SearchResult"
    splits: "Splits"
    held_out: Judged
    test: Judged
    comparison: Comparison | None
    measures: dict[str, dict[str, Measure]]
    """By the name of the rows, "held out" and "test", if there are such."""
    thresholds: list[Threshold]
    importance: dict[str, Float[np.ndarray, " repeats"]]
    """Of columns, as ``importance.column_importance`` has it."""
    effects: list[Effect]
    seconds: dict[str, float]
    """Of each step of the report."""
    notes: list[str]
    """What could not be found out, and why."""

    @property
    def target(self) -> str:
        """What is predicted, by its name where it has one."""
        return self.splits.target or "the target"

    @property
    def has_images(self) -> bool:
        """Whether the inputs are images, which have no columns."""
        return self.held_out.inputs.ndim > 2

    @property
    def learnt_nothing(self) -> bool:
        """Whether the constant answer is not shown to be worse."""
        constant = self.comparison and self.comparison.find(CONSTANT)
        return bool(constant and constant.verdict != "behind")

    def rivals(self, verdict: str) -> list[Baseline]:
        """The baselines that are "ahead" of the ensemble, "level" or "behind", the best first; without the
        constant answer.
        """
        models = self.comparison.baselines if self.comparison else []
        others = [one for one in models if one.kind != CONSTANT and one.verdict == verdict]
        return sorted(others, key=lambda one: one.loss)

    @property
    def sole_column(self) -> str | None:
        """The column that nearly all of what was learnt rests on: shuffled, nine tenths of the gain over the
        constant answer are gone, and without any other not a tenth.
        """
        constant = self.comparison and self.comparison.find(CONSTANT)
        if self.comparison is None or not constant or self.learnt_nothing or len(self.importance) < 2:
            return None
        gain = constant.loss - self.comparison.loss
        (name, first), (_, second), *_ = self.importance.items()
        return name if first.mean() > 0.9 * gain and second.mean() < 0.1 * gain else None


def hardest_rows(judged: Judged, number: int) -> np.ndarray:
    """The rows that cost most, the worst first; of classes only those that are mistaken."""
    if judged.class_names:
        return worst_examples(judged.targets, judged.predictions)[:number]
    return np.argsort(-row_losses(judged, judged.predictions), kind="stable")[:number]


def row_names(report: Report, rows: np.ndarray) -> list[str]:
    """What held out rows are called where they came from."""
    splits, places = report.splits, report.found.out_of_fold.rows[rows].tolist()
    apart = np.inf if splits.validation_is_cut else len(splits.train.inputs)
    return [f"{'validation ' * (place >= apart)}{splits.rows[place]}" for place in places]
