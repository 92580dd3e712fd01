"""Is backpropagation nothing but the chain rule? Written out by hand and compared weight by weight.

    python -m experiments.backprop

trains ReLU networks for three heads (images, diabetes, breast cancer) with plain SGD, 5 seeds of each as one
program. Before and after, the gradient of a batch is taken three times: by hand, by jax.grad and as the slope
between two nearby values of the loss. Then the networks take one step on one image.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.backprop.gradients import (
    NUM_PLACES,
    STATES,
    STEP,
    WITNESSES,
    compare,
    error_signals,
    one_step,
    train,
)
from experiments.harness import plots
from experiments.harness.answers import Answer, Measures, Record, counted, said, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Counts, ImageConfig, Positive, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.harness.training import total_seconds
from jaxmlp.data import sources
from jaxmlp.plots import charts
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {"num_epochs": 2, "hidden_sizes": (60, 30)}

    dataset: str = "digits"
    hidden_sizes: Counts = (60, 30, 20)
    """Neurons in each hidden layer."""
    learning_rate: Positive = 0.05
    """Step size of plain SGD."""
    num_epochs: Count = 30
    batch_size: Count = 32
    """Examples per step, and in the batch whose gradient is compared."""


def run(config: Config) -> Findings:
    images = load(config)
    if images.task != "multiclass" or images.train.inputs.ndim < 3:
        raise InputError(f"dataset: must be images of three or more classes, got {config.dataset!r}")
    tables = [sources.load_dataset(name) for name in ("diabetes", "breast_cancer")]
    # The smallest first: a batch that is too large for it is refused before anything is trained.
    cases = [train(config, splits) for splits in (*tables, images)]
    agreement = {case.head: compare(case) for case in cases}
    signals, step = error_signals(cases[-1]), one_step(cases[-1], config.learning_rate)
    traces = traces_of(np.asarray(images.train.inputs[0]), step)
    return Findings(
        ", ".join([config.dataset, "diabetes", "breast_cancer"]),
        measures(agreement, signals, step),
        tables={"agreeing_digits": agreement, "error_signals": signals, "one_step": traces},
        seconds=total_seconds(case.seconds for case in cases),
        notes={"finite_difference_step": STEP, "finite_difference_weights": NUM_PLACES},
    )


def measures(agreement: dict, signals: dict, step: dict) -> Measures:
    on, size = step["delta"] != 0, np.abs(step["correlation"])
    output = list(list(signals.values())[-1].values())[-1]
    worst = {w: np.min([by[w] for by in agreement.values()], axis=(0, 2)) for w in WITNESSES}
    return {
        **{metric: (worst[w], "digits") for w, metric in WITNESSES.items()},
        "smallest_correlation": (np.where(on, size, 1).min(axis=(1, 2)), "1"),
        "neurons_that_obey": (step["obeys"].mean(axis=(1, 2)), "fraction"),
        **{f"{state}_neurons_on": (on[:, i].mean(axis=1), "fraction") for i, state in enumerate(STATES)},
        "error_left": (output[:, -1] / output[:, 0], "fraction"),
    }


def traces_of(image: np.ndarray, step: dict[str, np.ndarray]) -> dict[str, Any]:
    """Pictures of three neurons of the first untrained network: of the largest, least and faintest δ."""
    titles, images = [], []
    first = {name: values[0, 0] for name, values in step.items()}
    for n in (first["delta"].argmax(), first["delta"].argmin(), np.abs(first["delta"]).argmin()):
        delta, before, after, r = (first[name][n] for name in ("delta", "before", "after", "correlation"))
        titles += [
            "the image",
            f"× δ = {delta:+.2g}",
            f"neuron {n} before",
            "and after",
            f"change, r = {r:+.3f}",
        ]
        images += [image, delta * image, *(w.reshape(image.shape) for w in (before, after, after - before))]
    return {"titles": titles, "images": np.stack(images)}


def answer(record: Record) -> Answer:
    exact = float(values(record, "agreeing_digits").min())
    return Answer(
        "agreeing_digits",
        f"{'Yes' if exact >= 6 else 'No'}: by hand and by jax.grad, the gradients of the worst weight agree "
        f"to {exact:.1f} digits ({said(record, 'agreeing_digits_float32')} in float32); after a step on one "
        f"image, the weights of {said(record, 'neurons_that_obey')} of the neurons are changed by a multiple "
        f"of it ({counted(record, 'neurons_that_obey')})",
        exact >= 6,
    )


def draw(record: Record, folder: Path) -> None:
    """The agreement of the gradients, the error signals, and the step."""
    tables = record["tables"]
    digits = {
        f"{witness}: {head}": np.array(by[witness])
        for witness in WITNESSES
        for head, by in tables["agreeing_digits"].items()
    }
    panels = {state: {label: each[:, i] for label, each in digits.items()} for i, state in enumerate(STATES)}
    xlabel = "decimal digits that agree, of the worst weight"
    title = "The gradient by hand, set against three witnesses"
    charts.point_plot(panels, folder / "agreement.png", xlabel=xlabel, title=title)
    signals = tables["error_signals"].items()
    lines = {of: {name: (range(len(v[0])), v) for name, v in layers.items()} for of, layers in signals}
    xlabel, ylabel = "epochs of training", "error signal: mean |δ| of a neuron"
    path, title = folder / "error_signals.png", "How much of the error reaches each layer"
    plots.line_plot(lines, path, xlabel=xlabel, ylabel=ylabel, log_y=True, title=title)
    traces, path = tables["one_step"], folder / "one_step.png"
    title = "One step on one image, in three neurons\n(red above 0, blue below, each on its own scale)"
    plots.image_grid(np.array(traces["images"]), traces["titles"], path, signed=True, columns=5, title=title)


if __name__ == "__main__":
    main(Config, run, draw, answer)
