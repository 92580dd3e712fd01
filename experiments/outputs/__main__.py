"""Sigmoid, softmax or a linear output: does each serve its task as well as scikit-learn's own models?

    python -m experiments.outputs

trains one hidden layer of 100 neurons on breast cancer (sigmoid), wine and digits (softmax) and diabetes
(linear), on 10 random splits of each: all splits at all learning rates are one compiled program. Rate and
epoch are chosen on a split's validation part; scikit-learn's MLP and linear model choose nothing and learn
from it too. The test part is read once, and the methods are compared split by split. runs/outputs holds
the record, scores, reliability diagrams, and what a safe and a naive softmax make of growing logits.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar

import jax
import numpy as np

import jaxmlp
from experiments.harness.answers import Answer, Record, listed, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Positives, Rule, Sizes, TrainingConfig
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from experiments.outputs.measure import (
    HIDDEN_SIZES,
    LABELS,
    MEASURES,
    OUTPUTS,
    RIVALS,
    TASKS,
    TEST_FRACTION,
    compare,
    measured,
)
from experiments.outputs.softmax import SIZES, loss_by_size, naive_loss, softmax_laws
from jaxmlp import checks, statistics
from jaxmlp.nn import heads
from jaxmlp.plots import charts, classifier
from jaxmlp.types import Numbers


@dataclass(frozen=True)
class Config(TrainingConfig):
    # One data set for each head is enough to see that all works.
    SMOKE: ClassVar[Sizes] = {
        "datasets": ("breast_cancer", "wine", "diabetes"),
        "num_epochs": 2,
        "max_iter": 5,
    }
    QUICK: ClassVar[Sizes] = {"num_seeds": 5}

    num_seeds: int = 10
    """Random splits, each with initial weights and an order of its own."""
    learning_rates: Positives = (1e-3, 3e-3, 1e-2, 3e-2)
    """Rates of Adam to choose from."""
    num_epochs: Count = 100
    """Passes through the training data, of which the best for the validation part is kept."""
    batch_size: Count = 32
    datasets: Annotated[tuple[str, ...], Rule(partial(checks.known_name, known=OUTPUTS))] = tuple(OUTPUTS)
    """Names of the data sets."""
    max_iter: Count = 2000
    """Passes at most of scikit-learn's models."""


def run(config: Config) -> Findings:
    """Compare on every data set, and try softmax."""
    outcomes = {name: compare(config, name) for name in config.datasets}
    laws = jax.device_get(jax.jit(jax.vmap(softmax_laws))(jaxmlp.seed_keys(config.seeds)[0]))
    curves = {"safe": loss_by_size(heads.multiclass().loss), "naive": loss_by_size(naive_loss)}
    return Findings(
        ", ".join(outcomes),
        {f"{name}_{k}": v for name, outcome in outcomes.items() for k, v in measured(outcome).items()}
        | {law: (v, "fraction" if "share" in law else "machine epsilon") for law, v in laws.items()},
        tables={name: outcome.confidences for name, outcome in outcomes.items()}
        | {"softmax_loss": {"size": SIZES, **curves}},
        seconds=total_seconds(outcome.seconds for outcome in outcomes.values()),
        notes={"varied": "split", "hidden_sizes": HIDDEN_SIZES},
    )


def judge(record: Record) -> dict[tuple[str, str, str], str]:
    """For each data set, rival and measure, what the interval of the difference allows to say of ours."""
    found = {}
    for name, rival in product(record["dataset"].split(", "), RIVALS):
        for measure, metric in MEASURES[TASKS[name]].items():
            ours, theirs = (values(record, f"{name}_{method}_{measure}") for method in ("network", rival))
            interval = resampled_interval(ours - theirs, TEST_FRACTION)
            found[name, rival, measure] = verdict(*interval, bool(metric.higher_is_better))
    return found


def answer(record: Record) -> Answer:
    """Where our network is ahead of scikit-learn's models, in accuracy or share explained."""
    judged = {key: word for key, word in judge(record).items() if key[2] in ("accuracy", "r2")}
    told = []
    for word in ("better", "worse"):
        pairs = [f"{LABELS[rival]} on {name}" for (name, rival, _), found in judged.items() if found == word]
        told += [f"{word} than {listed(pairs).replace('_', ' ')}"] if pairs else [f"nowhere {word}"]
    level = sum(word == "no difference shown" for word in judged.values())
    return Answer(
        f"{next(iter(judged))[0]}_network_accuracy",
        f"{'No' if 'worse' in judged.values() else 'Yes'}: in accuracy, or share explained, our network is "
        f"{listed(told)}; no difference is shown in {level} of {len(judged)} comparisons",
    )


def draw(record: Record, folder: Path) -> None:
    """The scores and the reliability of each data set, and the two formulas of softmax."""
    wish = {True: "more is better", False: "less is better"}
    for name in record["dataset"].split(", "):
        title, measures = name.replace("_", " "), MEASURES[TASKS[name]]
        panels = {
            m.replace("_", " ").replace("r2", "R²"): {
                label: values(record, f"{name}_{method}_{m}") for method, label in LABELS.items()
            }
            for m in measures
        }
        charts.point_plot(
            panels,
            folder / f"{name}.png",
            xlabel=[f"{m.unit}, {wish[bool(m.higher_is_better)]}" for m in measures.values()],
            title=f"{title}, {OUTPUTS[name]} output: test parts of the splits",
        )
        if TASKS[name] != "regression":
            tables = {label: record["tables"][name][method] for method, label in LABELS.items()}
            sure = {f"{title}, {label}": (t["confidence"], t["right"]) for label, t in tables.items()}
            shown = {label: (np.array(pair[0]), np.array(pair[1])) for label, pair in sure.items()}
            classifier.reliability(shown, folder / f"reliability_{name}.png")
    curves = record["tables"]["softmax_loss"]
    charts.line_plot(
        {"": {f"{name} formula": (curves["size"], [curves[name]]) for name in ("safe", "naive")}},
        folder / "softmax.png",
        xlabel="size of the logits: true class -size, largest other class +size",
        ylabel="loss (nats)",
        log_x=True,
        log_y=True,
        title="Where the naive softmax ends",
    )


def resampled_interval(values: Numbers, test_fraction: float) -> tuple[float, float]:
    """The 95 % interval of a mean over random splits: Student's, widened because the splits share examples
    (Nadeau and Bengio 2003); endless for one split."""
    mean, _, interval, n = statistics.summarize(values)
    if interval is None:
        return -np.inf, np.inf
    half = (interval[1] - mean) * float(np.sqrt(1 + n * test_fraction / (1 - test_fraction)))
    return mean - half, mean + half


def verdict(low: float, high: float, higher_is_better: bool) -> str:
    """What the interval of a difference allows to say."""
    if low <= 0 <= high:
        return "no difference shown"
    return "better" if (low > 0) == higher_is_better else "worse"


if __name__ == "__main__":
    main(Config, run, draw, answer)
