"""The pictures of the race between activations."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.harness import plots
from experiments.harness.answers import Record, values
from jaxmlp.nn import mlp
from jaxmlp.plots import charts


def draw(record: Record, folder: Path) -> None:
    """Dots of four measures, the learning curves, and the gradient of each layer at the start."""
    config, tables = record["config"], record["tables"]
    labels = {n: f"{n} ({initializer_name(mlp.get_activation(n))})" for n in config["activations"]}

    def by_depth(value: Any) -> dict[str, dict[str, Any]]:
        depths = {f"hidden layers: {depth}": depth for depth in config["depths"]}
        return {title: {labels[n]: value(f"{n}_depth{d}") for n in labels} for title, d in depths.items()}

    to_goal, most = f"to {config['goal']:.0%} validation accuracy", config["num_epochs"]
    for name, xlabel in {
        "epochs_at_least": f"epochs {to_goal}\n({most + 1}: not in {most})",
        "seconds_at_least": f"seconds {to_goal}\n(not in {most} epochs: those of one more)",
        "step_time_ratio": f"time of a step relative to {config['activations'][0]}'s",
        "dead": "neurons that are dead after training",
    }.items():
        rows = by_depth(lambda cell, name=name: values(record, f"{cell}_{name}"))
        charts.point_plot(rows, folder / f"{name}.png", xlabel=xlabel, percent=name == "dead")
    for name, xlabel, ylabel in (
        ("wrong", "epoch", f"validation examples that are wrong (goal: {1 - config['goal']:.0%})"),
        ("gradient_norms", "layer, the last is the output", "length of the gradient before training"),
    ):
        seeds = {cell: np.array(table[name], float) for cell, table in tables.items()}
        lines = by_depth(lambda cell, seeds=seeds: (1 + np.arange(seeds[cell].shape[1]), seeds[cell]))
        options: dict[str, Any] = {"log_y": True, "percent": name == "wrong", "xlabel": xlabel}
        note = "In brackets: how the initial weights are drawn"
        plots.line_plot(lines, folder / f"{name}.png", ylabel=ylabel, title=note, **options)


def initializer_name(activation: mlp.Activation) -> str:
    """Whose distribution the weights before ``activation`` are drawn from by default."""
    known = {jax.nn.relu: "He", jax.nn.tanh: "Glorot", jax.nn.identity: "LeCun"}
    names = {mlp.default_initializer(function): name for function, name in known.items()}
    return names[mlp.default_initializer(activation)]
