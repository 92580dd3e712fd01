"""Do a network's neurons learn strokes, or static that happens to work? Sixty of them, watched as they learn.

    python -m experiments.neurons

trains 784-60-10 on MNIST, 10 seeds with AdamW's weight decay or dropout at nine rates and with neither, all
as one program, and looks at the weights into each neuron as an image. Its Moran's I, how alike neighbouring
pixels are, tells stroke from static: 0 for random weights, towards 1 for a smooth image. Only pixels that
carry ink in some training image count: the others never learn. The networks with neither then lose neurons in
several orders, on validation data; the test set is read once, with half of the neurons gone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.answers import Answer, Measures, Record, compared, counted, paired, said, sign, slug
from experiments.harness.command import main
from experiments.harness.flags import ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.harness.training import make_network
from experiments.neurons.figures import draw, draw_images
from experiments.neurons.measure import ORDERS, Tables, removal_scores, remove, settings, train
from jaxmlp import InputError, checks, fit_affine
from jaxmlp.nn.neurons import most_exciting


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {"num_epochs": 2}
    QUICK: ClassVar[Sizes] = {
        "dataset": "digits",
        "num_neurons": 30,
        "weight_decay": (1.0,),
        "dropout": (0.5,),
        "learning_rate": 3e-3,
        "num_epochs": 30,
        "batch_size": 32,
    }

    num_seeds: int = 10
    num_neurons: Annotated[int, Rule(partial(checks.integer, at_least=2))] = 60
    """Neurons in the hidden layer."""
    weight_decay: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0)
    """AdamW's weight decays to compare with none."""
    dropout: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75)
    """Shares of neurons dropped while training, to compare with none."""
    learning_rate: float = 1e-3
    """Step size."""


def run(config: Config) -> Findings:
    for setting in settings(config).values():
        checks.hyperparams(setting)
    splits = load(config)
    if splits.train.inputs.ndim < 3:
        raise InputError(f"dataset: must hold images, but {config.dataset} has rows of numbers")
    checks.dataset_shapes(splits.train, config.batch_size)
    network = make_network(splits, (config.num_neurons,))
    tables, networks, seconds = train(config, splits, network)
    counts, half = np.unique(np.linspace(0, config.num_neurons, 13).astype(int)), config.num_neurons // 2
    without = partial(remove, network, networks[-1], removal_scores(tables, config.seed))
    tables["removed"] = {"counts": counts, **without(counts, splits.validation)}
    tables["half_removed"] = without([0, half], splits.test)
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), networks[-1][0])
    tables["exciting"] = most_exciting((first,), fit_affine(splits.train.inputs), splits.train.inputs)[:, 0]
    pictures = partial(draw_images, splits, tables, networks)
    return Findings(config.dataset, measures(tables), tables=tables, seconds=seconds, pictures=pictures)


def measures(tables: Tables) -> Measures:
    start, end, half = tables["start"], tables["end"], tables["half_removed"]
    pairs = zip(end, tables["outgoing_norm"], strict=True)
    found: Measures = {
        "autocorrelation_at_end": (end.mean(axis=1), "1"),
        "autocorrelation_at_start": (start.mean(axis=1), "1"),
        "share_like_static": ((end <= np.quantile(start, 0.99)).mean(axis=1), "fraction"),
        "correlation_with_outgoing_norm": ([np.corrcoef(*pair)[0, 1] for pair in pairs], "1"),
        "autocorrelation_at_first_pass": (tables["autocorrelation"][tables["first_pass"], :, 0], "1"),
        "validation_accuracy_at_first_pass": (tables["accuracy"][tables["first_pass"], :, 0], "fraction"),
        "test_accuracy": (half["random_order"][:, 0], "fraction"),
    }
    found |= {f"half_removed_{order}_test_accuracy": (half[order][:, 1], "fraction") for order in ORDERS}
    gain = {order: half["static_first"][:, 1] - half[order][:, 1] for order in ORDERS[1:]}
    found |= {f"static_first_minus_{order}": (values, "fraction") for order, values in gain.items()}
    for index, setting in enumerate(tables["settings"]):
        key, strokes = slug(setting), tables["autocorrelation"][-1]
        found[f"{key}_autocorrelation"] = strokes[:, index], "1"
        found[f"{key}_validation_accuracy"] = tables["accuracy"][-1][:, index], "fraction"
    return found


def answer(record: Record) -> Answer:
    rise = paired(record, "autocorrelation_at_end", "autocorrelation_at_start")
    word = "Both in one" if sign(rise, "difference") > 0 else "Strokes are not shown"
    static, strokes = (
        compared(record, f"static_first_minus_{order}", "higher", "lower")
        for order in ("random_order", "strokes_first")
    )
    return Answer(
        "autocorrelation_at_end",
        f"{word}: a neuron's autocorrelation goes from {said(record, 'autocorrelation_at_start')} to "
        f"{said(record, 'autocorrelation_at_end')}; {said(record, 'share_like_static')} of the neurons stay "
        "like random ones. Accuracy with the half most like static removed, minus that with any half "
        f"removed: {static}; minus that with the half most like strokes removed: {strokes} "
        f"({counted(record, 'autocorrelation_at_end')})",
        sign(record, "static_first_minus_strokes_first") != 0,
    )


if __name__ == "__main__":
    main(Config, run, draw, answer)
