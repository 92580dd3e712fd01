"""Do hidden neurons turn price and utility into indices such as value for money? Three motives, known to us.

    python -m experiments.shopping

draws 30,000 buyers. A motive's index is the probability that a buyer who has it buys; an offer meets each
motive in proportion to its index, and one decision in ten is a coin's. So the probability of a purchase is
known, and no rule beats Bayes': "buys" where it is above 1/2. Logistic regression and networks of three
hidden ReLU neurons learn from them, each at the learning rate of its best validation loss. Each neuron is
matched to one index by its correlation over the plane; an index "appears" from |r| = 0.9 on, a bar fixed
beforehand and set for untrained networks as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, logit

import jaxmlp
from experiments.harness import plots
from experiments.harness.answers import Answer, Measures, Record, compared, counted, said, sign, slug, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Positives, Sizes, TrainingConfig
from experiments.harness.network_pictures import NUM_SNAPSHOTS, write_page
from experiments.harness.receipt import Findings
from experiments.harness.training import make_network, population_logits, total_seconds
from experiments.shopping.buyers import MOTIVES, buying_probability, draw_buyers, indices
from jaxmlp import FitResult, Splits, from_arrays, save, save_snapshots
from jaxmlp.data.columns import NumberColumn
from jaxmlp.models.model import with_spec
from jaxmlp.nn import metrics
from jaxmlp.plots import charts

APPEARS, NUM_UNTRAINED, SIDE = 0.9, 500, 60
PLANE = np.stack(np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE] * 2), axis=-1).reshape(-1, 2)
MEASURES = ("accuracy", "log_loss")
Fitted = tuple[float, FitResult]
"""The learning rate that was chosen, and the networks of all seeds at it."""


@dataclass(frozen=True)
class Config(TrainingConfig):
    SMOKE: ClassVar[Sizes] = {"num_buyers": 1000, "num_epochs": 2}
    QUICK: ClassVar[Sizes] = {"num_seeds": 10, "num_epochs": 30}

    num_seeds: int = 20
    """Networks, which differ in initial weights and the order of the data."""
    learning_rates: Positives = (0.003, 0.01, 0.03, 0.1)
    """Adam's learning rates to choose from; each falls to 0 along a cosine."""
    num_epochs: Count = 60
    batch_size: Count = 256
    num_buyers: int = 30_000
    """Decisions that are drawn, each of one buyer."""


def run(config: Config) -> Findings:
    offers, bought = draw_buyers(config.num_buyers, config.seed)
    splits = from_arrays(offers, bought, name=f"{len(offers)} buyers with three motives")
    # The names that the page shows.
    columns = tuple(map(NumberColumn, ("price", "utility"), splits.train.inputs.mean(axis=0).tolist()))
    splits = splits._replace(columns=columns, class_names=("no purchase", "purchase"), target="a purchase")
    fits = {"logistic": train(config, splits), "mlp": train(config, splits, len(MOTIVES))}
    found, network = fits["mlp"][1], make_network(splits, (len(MOTIVES),))
    keys, _ = jaxmlp.seed_keys(range(config.seed, config.seed + max(config.num_seeds, NUM_UNTRAINED)))
    initial, _ = jax.vmap(network.init_fn, in_axes=(0, None))(keys, jaxmlp.Hyperparams())
    trained, untrained = (resemblance(network, params) for params in (found.run.params, initial))
    tested = {f"test_{name}": value for name, value in jaxmlp.evaluate(found.model, splits.test).items()}
    model = with_spec(found.model, metrics=found.model.spec.metrics | tested)
    save(config.folder / "model.safetensors", model)
    save_snapshots(config.folder / "snapshots", found.snapshots)
    return Findings(
        splits.name,
        appearances(trained, untrained) | decisions(splits.test, fits),
        tables={"inputs": jaxmlp.fit_affine(splits.train.inputs)}
        | {name: fitted.run.params for name, (_, fitted) in fits.items()},
        seconds=total_seconds(fitted.run.seconds for _, fitted in fits.values()),
    )


def train(config: Config, splits: Splits, *hidden_sizes: int) -> Fitted:
    """All seeds as one program, at the rate with the best mean validation loss."""
    shared = "batch_size", "num_epochs", "seed", "num_seeds", "progress"
    options: dict[str, Any] = {name: getattr(config, name) for name in shared}
    options |= {"hidden_sizes": hidden_sizes, "schedule": "cosine", "monitor": "log_loss"}
    options["num_snapshots"] = NUM_SNAPSHOTS
    fits = {rate: jaxmlp.fit_mlp(splits, learning_rate=rate, **options) for rate in config.learning_rates}
    return min(fits.items(), key=lambda row: row[1].run.best_score.mean())


def by_motive(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network's neurons in the order of the motives, assigned so that Σ |r| is largest, and their r.

    r is Pearson's correlation of output and index over the plane, 0 for a neuron that is off everywhere.
    """
    with np.errstate(invalid="ignore"):
        r = np.corrcoef(np.maximum(sums, 0), indices(PLANE), rowvar=False)
    r = np.nan_to_num(r[: len(MOTIVES), len(MOTIVES) :])
    _, neurons = linear_sum_assignment(-np.abs(r.T))
    return sums[:, neurons], r[neurons, range(len(MOTIVES))]


def resemblance(network: jaxmlp.Network, params: jaxmlp.Params) -> np.ndarray:
    """[networks, motives] |r| of each index and the neuron that stands for it."""
    return np.abs([by_motive(sums)[1] for sums in population_logits(network, params[:1], PLANE)])


def appearances(trained: np.ndarray, untrained: np.ndarray) -> Measures:
    """In which networks the indices appear, and how near the neurons that stand for them come."""
    measured: Measures = {}
    for prefix, r in (("", trained), ("untrained_", untrained)):
        measured[f"{prefix}all_three_appear"] = np.all(r >= APPEARS, axis=1), "fraction"
        for motive, near in zip(MOTIVES, r.T, strict=True):
            name = prefix + slug(motive)
            measured |= {f"{name}_appears": (near >= APPEARS, "fraction"), f"{name}_correlation": (near, "1")}
    r, by_chance = trained, untrained[: len(trained)]
    share = np.mean(r >= APPEARS, axis=1) - np.mean(by_chance >= APPEARS, axis=1)
    measured["trained_minus_untrained_indices_seen"] = share, "fraction"
    measured["trained_minus_untrained_correlation"] = np.mean(r - by_chance, axis=1), "1"
    return measured


def decisions(test: jaxmlp.Dataset, fits: dict[str, Fitted]) -> Measures:
    """How well each model and Bayes' rule decide on test data, and how far the networks are from the rest."""
    measured: Measures = {}
    reached = {}
    for name, (rate, fitted) in fits.items():
        measured[f"{name}_learning_rate"] = rate, "1"
        measured[f"{name}_validation_log_loss"] = fitted.run.best_score, "nats"
        reached[name] = [jaxmlp.evaluate(model, test) for model in fitted.models]
    rule = jnp.asarray(logit(buying_probability(np.asarray(test.inputs))))[:, None]
    for measure in MEASURES:
        function, _, unit, _ = metrics.CLASSIFICATION[measure]
        logistic, mlp = (np.array([one[measure] for one in reached[name]]) for name in ("logistic", "mlp"))
        bayes = np.asarray(function(rule, jnp.asarray(test.targets)))
        of = {"logistic": logistic, "mlp": mlp, "bayes": bayes}
        measured |= {f"{name}_test_{measure}": (values, unit) for name, values in of.items()}
        measured[f"mlp_minus_logistic_{measure}"] = mlp - logistic, unit
        measured[f"mlp_minus_bayes_{measure}"] = mlp - bayes, unit
    return measured


def answer(record: Record) -> Answer:
    seen = "trained_minus_untrained_indices_seen"
    word = {1: "In part", -1: "No", 0: "No difference to chance is shown"}[sign(record, seen)]
    return Answer(
        "mlp_minus_logistic_accuracy",
        f"{word}: all three indices appear in {said(record, 'all_three_appear')} of trained networks; share "
        f"of indices seen, minus that in untrained ones: {said(record, seen)}. Three hidden neurons minus a "
        f"line: {compared(record, 'mlp_minus_logistic_accuracy')} of decisions right; minus Bayes' rule: "
        f"{compared(record, 'mlp_minus_bayes_accuracy')} ({counted(record, seen)})",
        sign(record, "mlp_minus_logistic_accuracy") > 0,
    )


def network_of(record: Record, name: str) -> tuple[jaxmlp.Network, jaxmlp.Params]:
    """The networks of one kind, of all seeds, as the record holds them."""

    def array(values: Any) -> Any:
        return np.array(values, np.float32)

    layers, inputs = record["tables"][name], record["tables"]["inputs"]
    params = tuple(jaxmlp.Layer(array(layer["weight"]), array(layer["bias"])) for layer in layers)
    sizes = params[0].weight.shape[1], *(layer.bias.shape[1] for layer in params)
    return jaxmlp.make_network(sizes, "binary", jaxmlp.Affine(*map(array, inputs.values()))), params


def draw(record: Record, folder: Path) -> None:
    """Decision maps, the indices and one network's neurons over the plane, all correlations, and a page."""
    best = int(np.argmin(values(record, "mlp_validation_log_loss")))
    maps = {"known truth": buying_probability(PLANE)}
    for title, name in (("logistic regression", "logistic"), ("three hidden neurons", "mlp")):
        maps[title] = expit(population_logits(*network_of(record, name), PLANE)[best, :, 0])
    if (path := folder / "model.safetensors").exists():
        write_page(jaxmlp.load(path), record, folder / "page.html", buying_probability)
    network, params = network_of(record, "mlp")
    sums, r = by_motive(population_logits(network, params[:1], PLANE)[best])
    names = [f"nearest to {motive}:\nr = {x:+.2f}" for motive, x in zip(MOTIVES, r, strict=True)]
    chance: Any = {"colour_label": "probability of a purchase", "boundary": 0.5}
    plane(maps, folder / "decisions.png", title="Black line: 1/2, where the decision turns", **chance)
    plane(dict(zip(MOTIVES, indices(PLANE).T, strict=True)), folder / "indices.png", **chance)
    # What is below 0 is off; a little of it is left for the line.
    outputs = np.maximum(sums / np.maximum(sums.max(axis=0), 1e-9), -0.01)
    neurons = dict(zip(names, outputs.T, strict=True))
    output: Any = {"colour_label": "output / its largest", "boundary": 0, "cmap": "Oranges"}
    title = "Neurons of the network with the lowest validation loss; black line: on or off"
    plane(neurons, folder / "neurons.png", title=title, **output)
    rows = {
        f"{motive}, {state or 'trained'}": values(record, f"{state}_{slug(motive)}_correlation".lstrip("_"))
        for motive in MOTIVES
        for state in ("", "untrained")
    }
    label = f"|r| of index and its neuron (from {APPEARS} on, the index appears)"
    charts.point_plot({"": rows}, folder / "correlations.png", xlabel=label)


def plane(maps: dict[str, np.ndarray], path: Path, **options: Any) -> None:
    shown = {name: values.reshape(SIDE, SIDE) for name, values in maps.items()}
    plots.heatmap(shown, (0, 1, 0, 1), path, xlabel="price", ylabel="utility", **options)


if __name__ == "__main__":
    main(Config, run, draw, answer)
