"""Is ReLU cheaper than sigmoid, and does a network learn faster with it? Seven activations at three depths.

    python -m experiments.activations

trains networks of 1, 3 and 6 hidden layers of 64 neurons with Adam, at 9 learning rates from 1e-5 to 0.1 and
with 5 seeds: all 45 networks of an activation and a depth are one compiled program. Their rate is the one
with the fewest epochs to 95 % validation accuracy, in the mean over seeds; a seed that does not get there
makes it infinite, and equal means are told apart by the mean accuracy after the last epoch. A program runs
for 5 epochs, and for 20 if no rate took all seeds there in 5. The test set is not read. What a step costs is
timed on one network alone, in turn with all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar

from experiments.activations.figures import draw
from experiments.activations.measure import Cell, measures, train
from experiments.harness.answers import Answer, Measures, Record, by_sign, counted, listed, said, sign
from experiments.harness.command import main
from experiments.harness.flags import Count, Counts, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from jaxmlp import checks
from jaxmlp.nn import mlp


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {"activations": ("relu", "sigmoid"), "depths": (1,), "num_epochs": 2}
    QUICK: ClassVar[Sizes] = {
        "dataset": "digits",
        "activations": ("relu", "sigmoid"),
        "depths": (1, 6),
        "num_epochs": 30,
        "batch_size": 32,
    }

    activations: Annotated[tuple[str, ...], Rule(lambda _, name: mlp.get_activation(name))] = (
        *("relu", "sigmoid", "tanh", "gelu", "silu", "elu", "leaky_relu"),
    )
    """Functions of jax.nn; the first is compared with each of the others."""
    depths: Counts = (1, 3, 6)
    """Numbers of hidden layers."""
    width: Count = 64
    """Neurons in each hidden layer."""
    batch_size: Count = 256
    goal: Annotated[float, Rule(lambda name, value: checks.fraction(name, checks.positive(name, value)))] = (
        0.95
    )
    """The validation accuracy to reach."""


def run(config: Config) -> Findings:
    splits, (first, *others) = load(config), config.activations
    outcomes = {cell: train(config, splits, *cell) for cell in product(config.depths, config.activations)}
    found = measures(config, splits.train, outcomes)
    differences = {(d, n): minus(found[d, first], found[d, n]) for n, d in product(others, config.depths)}
    return Findings(
        config.dataset,
        flat(f"{first}_minus_", differences) | flat("", found),
        tables={f"{name}_depth{depth}": outcome.seen for (depth, name), outcome in outcomes.items()},
        seconds=total_seconds(o.seconds for o in outcomes.values()),
    )


def minus(ours: Measures, theirs: Measures) -> Measures:
    """Differences in pairs: of seeds, and of timings for the step."""
    names = ("epochs_at_least", "seconds_at_least", "step_time")
    return {name: (ours[name][0] - theirs[name][0], ours[name][1]) for name in names}


def flat(prefix: str, cells: Mapping[Cell, Measures]) -> Measures:
    return {f"{prefix}{n}_depth{d}_{key}": m[key] for (d, n), m in cells.items() for key in m}


def answer(record: Record) -> Answer:
    (first, *others), depths = record["config"]["activations"], record["config"]["depths"]
    if not others:
        name = f"{first}_depth{depths[-1]}_epochs_at_least"
        return Answer(name, f"{said(record, name)} to the goal with {depths[-1]} hidden layers", shown=False)
    pair = f"{first}_minus_{others[0]}"
    epochs = where(record, f"{pair}_depth{{}}_epochs_at_least", {-1: "faster", 1: "slower"})
    step = where(record, f"{pair}_depth{{}}_step_time", {-1: "cheaper", 1: "dearer"})
    deepest, cost = (f"{pair}_depth{depths[-1]}_{name}" for name in ("epochs_at_least", "step_time"))
    return Answer(
        deepest,
        f"{first} against {others[0]}, by the number of hidden layers, in epochs to the goal "
        f"({counted(record, deepest)}): {epochs}. In a step's time ({record['metrics'][cost]['n']} rounds): "
        f"{step}",
        sign(record, deepest) < 0,
    )


def where(record: Record, name: str, words: Mapping[int, str]) -> str:
    """At which depths a difference is shown, in these words, and at which none."""
    names = {depth: name.format(depth) for depth in record["config"]["depths"]}
    at = by_sign(record, names)
    told = [
        f"{word} with {listed(f'{depth} ({said(record, names[depth])})' for depth in at[s])}"
        for s, word in words.items()
        if at[s]
    ]
    if at[0]:
        told.append(f"no difference shown with {listed(at[0])}")
    return "; ".join(told)


if __name__ == "__main__":
    main(Config, run, draw, answer)
