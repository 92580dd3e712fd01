"""The sections of the page, each from what was found out and a folder for its pictures."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxmlp.data.columns import MAX_LINES
from jaxmlp.data.splits import join_parts
from jaxmlp.plots import charts, classifier, images
from jaxmlp.plots.reports import MANY
from jaxmlp.printing import format_number, format_percent
from jaxmlp.report import pictures
from jaxmlp.report.columns import column_values, column_words, input_columns
from jaxmlp.report.contents import MAX_COLUMNS, MAX_ROWS, NUM_REPEATS, Report, hardest_rows, row_names
from jaxmlp.report.judged import row_losses
from jaxmlp.report.markup import items, paragraph, picture, table
from jaxmlp.report.measures import MAX_TARGETS
from jaxmlp.report.sentences import format_difference, format_measure, format_value
from jaxmlp.statistics import confusion_counts

Section = Callable[[Report, Path], str]
_MAX_HARDEST, _MAX_SHOWN = 10, 6
_MAX_BARS = 25
_VERDICTS = {"ahead": "better than the ensemble", "level": "not shown to differ", "behind": "worse"}


def baselines(report: Report, folder: Path) -> str:
    """The baselines beside the ensemble."""
    compared = report.comparison
    if compared is None:
        return paragraph("Left out, as said above." if "baselines" in report.seconds else "Not asked for.")
    classes = bool(report.held_out.class_names)
    name = "log-loss" if classes else "share of the variance left (1 − R²)"
    seconds = sum(report.found.sweep.seconds.values())
    best = [("the ensemble", format_value(compared.loss, "nats"), "", "", f"{seconds:.1f}")]
    rows = [
        (
            one.name,
            format_value(one.loss, "nats"),
            format_difference(one),
            _VERDICTS[one.verdict],
            f"{one.seconds:.1f}",
        )
        for one in compared.baselines
    ]
    header = ("model", name, "ensemble minus this (95 % interval)", "this model is", "seconds")
    trees = ", trees see gaps and categories as such"
    told = (
        "Each learnt from the same rows as the networks and was asked for the same "
        f"{compared.describe_rows()}. Lower is better; the difference is paired, row by row. With "
        "scikit-learn's defaults; the linear model sees the rows as the networks do"
        f"{'' if report.has_images else trees}."
    )
    if report.splits.class_weights:
        told += " Classes weigh here as in training."
    left = [f"{name} {why}" for name, why in compared.left_out.items()]
    return table(header, best + rows) + paragraph(told, "note") + items(left)


def how_good(report: Report, folder: Path) -> str:
    """Every measure with its interval."""
    parts = {name: values for name, values in report.measures.items() if values}
    names = list(dict.fromkeys(name for values in parts.values() for name in values))
    counts = {"held out": len(report.held_out.targets), "test": len(report.test.targets)}
    header = ["measure", *(f"{part} ({counts[part]:,} rows)" for part in parts)]
    rows = [[name, *(format_measure(values[name]) for values in parts.values())] for name in names]
    notes = ["Each held out row was predicted by networks that had not learnt from it, chosen without it."]
    if not len(report.test.targets):
        notes.append("There are no test rows.")
    if report.splits.class_weights:
        notes.append("Classes count here as often as they come, though training weighed them.")
    if len(report.held_out.class_names) > 2:
        notes.append(
            "AUC, average precision and F1 are means over the classes that occur, each against all others."
        )
    if report.held_out.targets.ndim > 1 and report.held_out.targets.shape[1] > MAX_TARGETS:
        notes.append(f"Of {report.held_out.targets.shape[1]} targets, the first {MAX_TARGETS} are shown.")
    return table(header, rows) + paragraph(" ".join(notes), "note")


def mistakes(report: Report, folder: Path) -> str:
    """What is taken for what, how well classes are told apart, how sure one may be."""
    judged = report.held_out
    counts = confusion_counts(judged.targets, judged.labels, len(judged.class_names))
    path = classifier.confusion_matrix(counts, judged.class_names, folder / "confusion.png")
    found = [picture(path, "Confusion matrix")]
    if pictures.shown_classes(judged):
        path = pictures.draw_ranking(judged, folder / "ranking.png")
        found.append(picture(path, "ROC and precision-recall curves"))
    else:
        found.append(paragraph("One class alone occurs, so that there is nothing to tell apart.", "note"))
    if len(np.unique(judged.targets)) > pictures.MAX_CURVES:
        found.append(paragraph("The curves are those of the classes that are told apart worst.", "note"))
    answers = {"held out rows": (judged.predictions.max(axis=1), judged.labels == judged.targets)}
    path = classifier.reliability(answers, folder / "reliability.png")
    found.append(picture(path, "Reliability diagram"))
    found.append(paragraph("On the line, what is called 80 % sure is right in 80 % of cases.", "note"))
    return "".join(found)


def class_balance(report: Report, folder: Path) -> str:
    """How often each of two classes comes, what is made of it, and from which probability to decide."""
    judged = report.held_out
    positive, other = (str(judged.class_names[place]) for place in (judged.positive, 1 - judged.positive))
    share = float(np.average(judged.targets == judged.positive, weights=judged.weights))
    if report.splits.class_weights:
        made = (
            "Classes were weighed in training: probabilities are those of data in which each is as frequent "
            "as its weights make it, so that log-loss and Brier score are worse on data as they are."
        )
    else:
        made = (
            "Rows counted alike in training, so that probabilities go with how often the classes come; of a "
            "rare class few rows reach 0.5. --class-weight balanced gives both the same total instead."
        )
    names = list(report.thresholds[0].measures)
    rows = [
        [one.name, f"{one.threshold:.3f}", *(f"{one.measures[name]:.3f}" for name in names)]
        for one in report.thresholds
    ]
    told = (
        "The threshold is chosen on all held out rows; what it reaches is measured on each part of them by "
        "the one chosen on the others."
    )
    first = paragraph(
        f"{format_percent(share)} of the held out rows are {positive!r}, the others {other!r}. {made}"
    )
    return first + table(["threshold", f"{positive!r} from", *names], rows) + paragraph(told, "note")


def errors(report: Report, folder: Path) -> str:
    """How far real values are off, and how much the intervals hold."""
    part, judged = ("test", report.test) if len(report.test.targets) else ("held out", report.held_out)
    scales, found = report.found.ensemble.spec.noise_scale or (), []
    for place, scale in enumerate(scales[:MAX_TARGETS]):
        path = folder / f"residuals_{place}.png"
        unit = f"target {place + 1}" if len(scales) > 1 else report.target
        found.append(picture(pictures.draw_residuals(judged, place, scale, unit, path), "Residuals"))
    drawn = f", of which {MANY:,} are drawn" * (len(judged.targets) > MANY)
    chosen = ", whose width these rows chose" * (part == "held out")
    told = f"{len(judged.targets):,} {part} rows{drawn}; dashed, the interval that should hold 90 %{chosen}."
    return "".join(found) + paragraph(told, "note")


def what_it_depends_on(report: Report, folder: Path) -> str:
    """Columns shuffled, and columns set to one value after the other."""
    if not report.importance:
        number = len(input_columns(report.splits))
        many = f"There are {number} columns, and at most {MAX_COLUMNS} are shuffled one by one."
        return paragraph(many if number > MAX_COLUMNS else "Left out, as said above.")
    label = "log-loss rises by" if report.held_out.class_names else "R² falls by"
    shown = dict(itertools.islice(report.importance.items(), _MAX_BARS))
    path = charts.point_plot({"": shown}, folder / "columns.png", xlabel=label)
    told = (
        f"How much worse rows not learnt from ({MAX_ROWS:,} at most) are predicted when a column is shuffled "
        f"among them, all that it became together: each of {NUM_REPEATS} shuffles, and their mean with its "
        "95 % interval. Columns that tell the same stand in for each other, and each seems to matter less."
    )
    found = [picture(path, "Importance of columns"), paragraph(told, "note")]
    if len(report.importance) > _MAX_BARS:
        found.append(paragraph(f"The first {_MAX_BARS} of {len(report.importance)} columns.", "note"))
    if report.effects:
        path = pictures.draw_effects(report.effects, report.held_out, report.target, folder / "effects.png")
        told = "The average prediction where all rows have the same value in a column, else as they are."
        found += [picture(path, "Partial dependence"), paragraph(told, "note")]
    return "".join(found)


def hardest(report: Report, folder: Path) -> str:
    """The rows that were predicted worst, where wrong labels and rare cases stand first."""
    judged, columns = report.held_out, input_columns(report.splits)
    if report.has_images and judged.class_names:
        answers = judged.targets, judged.predictions, judged.class_names
        path = images.most_wrong(judged.inputs, *answers, folder / "mistakes.png", num_images=12)
        return picture(path, "The worst mistakes")
    rows = hardest_rows(judged, _MAX_HARDEST)
    if not len(rows):
        return paragraph("No held out row is mistaken.")
    order = {name: place for place, name in enumerate(report.importance)}
    columns = sorted(columns, key=lambda one: order.get(one.name, len(order)))[:_MAX_SHOWN]
    losses = row_losses(judged, judged.predictions)[rows]
    cells = [column_words(one, column_values(one, judged.inputs[rows])) for one in columns]
    told = [_truth(report, row) for row in rows.tolist()]
    body = [
        [name, *pair, format_value(loss, "nats"), *own]
        for name, pair, loss, *own in zip(row_names(report, rows), told, losses, *cells, strict=True)
    ]
    loss = "log-loss" if judged.class_names else "squared error / variance"
    return table(["row", "true", "predicted", loss, *(one.name for one in columns)], body) + paragraph(
        "The held out rows that were predicted worst: wrong entries and rare cases come first. Rows of a "
        "file count from 1, below its header; those of a frame or of arrays as these count them.",
        "note",
    )


def _truth(report: Report, row: int) -> tuple[str, str]:
    judged = report.held_out
    if not judged.class_names:
        true, said = (", ".join(map(format_number, of[row])) for of in (judged.targets, judged.predictions))
        return true, said
    label = judged.labels[row]
    sure = format_percent(judged.predictions[row, label])
    return str(judged.class_names[judged.targets[row]]), f"{judged.class_names[label]} ({sure} sure)"


def how_read(report: Report, folder: Path) -> str:
    """Each column, and what was noticed about the data."""
    splits = report.splits
    if splits.validation_is_cut and len(report.found.out_of_fold.learnt) > 1:
        # Folds have taken its place.
        splits = join_parts(splits)
    summary = [f"{name}: {value}" for name, value in splits._replace(columns=None).summary().items()]
    columns = splits.columns or ()
    found = items(report.splits.leaks) + items(summary)
    if columns:
        found += table(["column", "read as"], [(one.name, one.describe()) for one in columns[:MAX_LINES]])
    if len(columns) > MAX_LINES:
        found += paragraph(f"And {len(columns) - MAX_LINES} more.", "note")
    return found


def how_it_learnt(report: Report, folder: Path) -> str:
    """Every setting's loss over the epochs."""
    path = pictures.draw_members(report.found.sweep, report.splits, folder / "members.png")
    told = (
        "Each line is a setting: its loss after each epoch on the rows held out of its networks; lower is "
        "better. The best is chosen after some of the epochs, and where labels are smoothed by the loss that "
        "calibration leaves."
    )
    if report.splits.class_weights:
        told += " Classes weigh in it as in training."
    return picture(path, "Every setting learning") + paragraph(told, "note")


def what_it_cost(report: Report, folder: Path) -> str:
    """Seconds, networks and settings."""
    swept = report.found.sweep
    compared = report.comparison.baselines if report.comparison else []
    seconds = {**swept.seconds, **{one.name: one.seconds for one in compared}, **report.seconds}
    chosen = {
        "settings tried": f"{len(swept.members)}, each with a network for each fold",
        "networks in the ensemble": report.found.ensemble.summary()["networks"],
    }
    return table(["", "seconds"], [(name, f"{value:.1f}") for name, value in seconds.items()]) + items(
        f"{name}: {value}" for name, value in chosen.items()
    )
