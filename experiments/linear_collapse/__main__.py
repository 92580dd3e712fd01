"""Does a network without activations collapse into one linear function?

    python -m experiments.linear_collapse

trains three kinds of network, on images and on two half moons that no line can part: no hidden layer (which
is logistic regression), three hidden layers without activation, and the same three with ReLU. All seeds at
all learning rates of a kind are one program, and the rate is chosen on validation data. The product of the
layers' matrices is compared with the network's output, and test accuracy with scikit-learn's logistic
regression.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.datasets import make_moons

from experiments.harness import flags, plots
from experiments.harness.answers import Answer, Record, compared, counted, sign, values
from experiments.harness.command import main
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from experiments.linear_collapse.measure import FRAME, LABELS, loss_curves, measures, probability_map, train
from jaxmlp import checks
from jaxmlp.data.splits import Splits, first_examples, from_arrays
from jaxmlp.plots import charts

SHOWN, ROUNDING = 300, 1000
"""Test examples in the picture, and so many ε may be rounding."""
PROBLEMS = ("images", "plane")
PAIRS = ("deep_linear_minus_shallow", "relu_minus_deep_linear")


@dataclass(frozen=True)
class Config(flags.TrainingConfig, flags.ImageConfig):
    SMOKE: ClassVar[flags.Sizes] = {"num_epochs": 2}
    QUICK: ClassVar[flags.Sizes] = {"dataset": "digits", "num_seeds": 5}

    num_seeds: int = 10
    hidden_sizes: flags.Counts = (64, 64, 64)
    """Neurons in each hidden layer; fewer than there are classes could not hold every linear function."""
    learning_rates: flags.Positives = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    """Learning rates to try, of plain stochastic gradient descent."""
    num_epochs: flags.Count = 30


def run(config: Config) -> Findings:
    problems = {"images": flags.load(config), "plane": half_moons(config)}
    for splits in problems.values():
        checks.dataset_shapes(splits.train, config.batch_size)
    found = {name: {kind: train(config, problems[name], kind) for kind in LABELS} for name in problems}
    curves = {name: loss_curves(config, kinds) for name, kinds in found.items()}
    maps = {label: probability_map(found["plane"][kind]) for kind, label in LABELS.items()}
    return Findings(
        config.dataset,
        {f"{p}_{n}": v for p in found for n, v in measures(config, problems[p], found[p]).items()},
        curves={f"{name}: {line}": rows for name in curves for line, rows in curves[name].items()},
        tables={"plane": maps, "frame": FRAME, "test": first_examples(problems["plane"], SHOWN).test},
        seconds=total_seconds(kind.tuned.fit.seconds for kinds in found.values() for kind in kinds.values()),
    )


def half_moons(config: Config) -> Splits:
    """Two classes in the plane, each bent around the other's end."""
    inputs, targets = make_moons(10_000, noise=0.15, random_state=config.seed)
    splits = from_arrays(inputs, targets, name="half moons", test_fraction=0.4)
    return first_examples(splits, flags.SMOKE_EXAMPLES) if config.smoke else splits


def answer(record: Record) -> Answer:
    error = max(float(values(record, f"{name}_product_error").max()) for name in PROBLEMS)
    linear, relu = (
        " on images, ".join(compared(record, f"{name}_{pair}_test_accuracy") for name in PROBLEMS)
        for pair in PAIRS
    )
    return Answer(
        f"plane_{PAIRS[1]}_test_accuracy",
        f"{'Yes' if error < ROUNDING else 'No'}: the network and the product of its layers differ by "
        f"{error:.0f} ε of its output at most. Layers without activation minus none: {linear} on moons; ReLU "
        f"minus no activation: {relu} on moons ({counted(record, f'plane_{PAIRS[1]}_test_accuracy')})",
        # Images can be read fairly well without a bend, the moons cannot.
        error < ROUNDING and sign(record, f"plane_{PAIRS[1]}_test_accuracy") > 0,
    )


def draw(record: Record, folder: Path) -> None:
    """Test accuracies, the training curves, and the decisions in the plane."""
    rows = LABELS | {"scikit_learn": "scikit-learn's logistic regression"}
    dots, lines = {}, {}
    for name, title in {"images": record["dataset"], "plane": "half moons"}.items():
        dots[title] = {label: values(record, f"{name}_{row}_test_accuracy") for row, label in rows.items()}
        curves = {k: v for k, v in record["curves"].items() if k.startswith(f"{name}: ")}
        lines[title] = {k.removeprefix(f"{name}: "): (record["epochs"], v) for k, v in curves.items()}
    bars = "Each kind of network at its best learning rate: seeds, their mean and its 95 % interval"
    charts.point_plot(dots, folder / "accuracy.png", xlabel="test accuracy", percent=True, title=bars)
    plots.line_plot(lines, folder / "curves.png", xlabel="epoch", ylabel="training loss (nats)")
    maps, moons = record["tables"]["plane"], record["tables"]["test"]
    options: dict[str, Any] = {"boundary": 0.5, "xlabel": "x", "ylabel": "y"}
    options |= {"points": (moons["inputs"], moons["targets"]), "colour_label": "probability of the red class"}
    title = "What one network of each kind says of every point; dots are test examples"
    maps = {label: np.array(values) for label, values in maps.items()}
    plots.heatmap(maps, FRAME, folder / "plane.png", title=title, **options)


if __name__ == "__main__":
    main(Config, run, draw, answer)
