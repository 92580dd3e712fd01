"""Sigmoid, softmax or a linear output: does each serve its task as well as scikit-learn's own models?

    python -m experiments.outputs

trains one hidden layer of 100 neurons on breast cancer (sigmoid), wine and digits (softmax) and diabetes
(linear), on 10 random splits of each: all splits at all learning rates are one compiled program. Rate and
epoch are chosen on a split's validation part; scikit-learn's MLP and linear model choose nothing and learn
from it too. The test part is read once, and the methods are compared split by split.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar

import jax
import numpy as np

import jaxmlp
from experiments.harness import plots
from experiments.harness.answers import Answer, Record, counted, listed, paired, sign, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Positives, Rule, Sizes, TrainingConfig
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from experiments.outputs.measure import HIDDEN_SIZES, MEASURES, RIVALS, TASKS, compare
from experiments.outputs.softmax import SIZES, loss_by_size, naive_loss, softmax_laws
from jaxmlp import checks
from jaxmlp.nn import heads
from jaxmlp.plots import charts, classifier

LABELS = {"network": "our network", "sklearn_mlp": "scikit-learn's MLP", "linear_model": "linear model"}
OUTPUTS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}


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
    datasets: Annotated[tuple[str, ...], Rule(partial(checks.known_name, known=TASKS))] = tuple(TASKS)
    """Names of the data sets."""
    max_iter: Count = 2000
    """Passes at most of scikit-learn's models."""


def run(config: Config) -> Findings:
    outcomes = {name: compare(config, name) for name in config.datasets}
    laws = jax.device_get(jax.jit(jax.vmap(softmax_laws))(jaxmlp.seed_keys(config.seeds)[0]))
    curves = {"safe": loss_by_size(heads.multiclass().loss), "naive": loss_by_size(naive_loss)}
    return Findings(
        ", ".join(outcomes),
        {f"{name}_{k}": v for name, outcome in outcomes.items() for k, v in outcome.measures.items()}
        | {law: (v, "fraction" if "share" in law else "machine epsilon") for law, v in laws.items()},
        tables={name: outcome.confidences for name, outcome in outcomes.items()}
        | {"softmax_loss": {"size": SIZES, **curves}},
        seconds=total_seconds(outcome.seconds for outcome in outcomes.values()),
        notes={"varied": "split", "hidden_sizes": HIDDEN_SIZES},
    )


def answer(record: Record) -> Answer:
    measures = {name: next(iter(MEASURES[TASKS[name]])) for name in record["dataset"].split(", ")}
    judged = {}
    for (name, measure), rival in product(measures.items(), RIVALS):
        pair = paired(record, f"{name}_network_{measure}", f"{name}_{rival}_{measure}")
        judged[f"{LABELS[rival]} on {name}".replace("_", " ")] = sign(pair, "difference", splits=True)
    told = []
    for word, way in {"better": 1, "worse": -1}.items():
        whom = [of for of, found in judged.items() if found == way]
        told.append(f"{word} than {listed(whom)}" if whom else f"nowhere {word}")
    level = sum(way == 0 for way in judged.values())
    first = next(f"{name}_network_{measure}" for name, measure in measures.items())
    return Answer(
        first,
        f"{'No' if -1 in judged.values() else 'Not shown to be worse'}: in accuracy, or share explained, our "
        f"network is shown to be {listed(told)}; no difference is shown in {level} of {len(judged)} "
        f"comparisons ({counted(record, first)})",
        level < len(judged),
    )


def draw(record: Record, folder: Path) -> None:
    """The scores and the reliability of each data set, and the two formulas of softmax."""
    wish = {True: "more is better", False: "less is better"}
    for name in record["dataset"].split(", "):
        title, task = name.replace("_", " "), TASKS[name]
        panels = {
            m.replace("_", " ").replace("r2", "R²"): {
                label: values(record, f"{name}_{method}_{m}") for method, label in LABELS.items()
            }
            for m in MEASURES[task]
        }
        charts.point_plot(
            panels,
            folder / f"{name}.png",
            xlabel=[f"{m.unit}, {wish[bool(m.higher_is_better)]}" for m in MEASURES[task].values()],
            title=f"{title}, {OUTPUTS[task]} output: test parts of the splits",
        )
        shown = {}
        for method, table in record["tables"][name].items():
            sure = np.array(table["confidence"]), np.array(table["right"])
            shown[f"{title}, {LABELS[method]}"] = sure
        if shown:
            classifier.reliability(shown, folder / f"reliability_{name}.png")
    curves, title = record["tables"]["softmax_loss"], "Where the naive softmax ends"
    lines = {f"{name} formula": (curves["size"], [curves[name]]) for name in ("safe", "naive")}
    options: dict[str, Any] = {"xlabel": "size of the logits: true class -size, largest other class +size"}
    options |= {"ylabel": "loss (nats)", "log_x": True, "log_y": True, "title": title}
    plots.line_plot({"": lines}, folder / "softmax.png", **options)


if __name__ == "__main__":
    main(Config, run, draw, answer)
