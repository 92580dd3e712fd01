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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, logit

import jaxmlp
from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks, statistics
from jaxmlp.data.splits import Splits, from_arrays, layer_sizes
from jaxmlp.nn import heads, metrics
from jaxmlp.plots import charts
from jaxmlp.train import batching, tuning
from jaxmlp.train.tuning import TuneResult

# What a motive asks of an offer: factors of price and utility, and a constant.
MOTIVES = {"value for money": (-1, 1, -0.2), "necessity": (0, 1, -0.8), "bargain hunter": (-1, 0, 0.2)}
STEEPNESS, NOISE, APPEARS, NUM_UNTRAINED, BATCH_SIZE, SIDE = 15, 0.05, 0.9, 500, 256, 60
PLANE = np.stack(np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE] * 2), axis=-1).reshape(-1, 2)
MEASURES = {name: metrics.CLASSIFICATION[name] for name in ("accuracy", "log_loss")}
Measured = dict[str, tuple[Any, str]]


@dataclass(frozen=True)
class Config(receipt.Config):
    num_seeds: int = 20
    """Networks, which differ in initial weights and the order of the data."""
    learning_rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    """Adam's learning rates to choose from; each falls to 0 along a cosine."""
    num_epochs: int = 60
    """Passes through the training data."""


def run(config: Config) -> None:
    """Draw the buyers, train the models, compare neurons with motives, record and draw."""
    checks.each("learning_rates", config.learning_rates, checks.positive)
    begun = receipt.begin(config)
    offers, bought = draw_buyers(1000 if config.smoke else 30_000, config.seed)
    splits = from_arrays(offers, bought)
    models = {"logistic": train(config, splits), "mlp": train(config, splits, len(MOTIVES))}
    mlp = models["mlp"]
    keys, _ = jaxmlp.seed_keys(range(config.seed, config.seed + max(config.num_seeds, NUM_UNTRAINED)))
    initial, _ = jax.vmap(mlp.network.init_fn, in_axes=(0, None))(keys, jaxmlp.Hyperparams())
    trained, untrained = (resemblance(mlp.network, params) for params in (mlp.tuned.params, initial))
    measured = appearances(trained, untrained) | decisions(config, splits.test, models)
    receipt.finish(
        begun,
        config,
        dataset=f"{len(offers)} buyers with three motives",
        metrics=measured,
        tables={"inputs": jaxmlp.fit_affine(splits.train.inputs)}
        | {name: model.tuned.params for name, model in models.items()},
        seconds={key: sum(m.tuned.fit.seconds[key] for m in models.values()) for key in ("compile", "train")},
    )
    draw(begun.folder, models, trained, untrained)
    print(*answer(measured), sep="\n")


def indices(offers: np.ndarray) -> np.ndarray:
    """[offers, motives] The probability that a buyer with the motive buys at this price and utility."""
    *factors, constants = np.transpose(list(MOTIVES.values()))
    return expit(STEEPNESS * (offers @ np.array(factors) + constants))


def buying_probability(offers: np.ndarray) -> np.ndarray:
    """Over the motives that an offer meets, each in proportion to its index, and the coin's noise."""
    index = indices(offers)
    return NOISE + (1 - 2 * NOISE) * np.sum(index**2, axis=1) / np.sum(index, axis=1)


def draw_buyers(num_buyers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Offers anywhere on the plane, and whether the one buyer that each meets bought it (1) or not (0)."""
    draws = np.random.default_rng(seed)
    offers = draws.uniform(size=(num_buyers, 2))
    index = indices(offers)
    up_to = np.cumsum(index, axis=1) / np.sum(index, axis=1, keepdims=True)
    motive = np.sum(draws.uniform(size=(num_buyers, 1)) > up_to[:, :-1], axis=1)
    wanted = draws.uniform(size=num_buyers) < index[np.arange(num_buyers), motive]
    return offers, (wanted ^ (draws.uniform(size=num_buyers) < NOISE)).astype(int)


class Model(NamedTuple):
    """One kind of network, trained with every seed."""

    network: jaxmlp.Network
    tuned: TuneResult


def train(config: Config, splits: Splits, *hidden_sizes: int) -> Model:
    """All seeds at all learning rates as one program; the rate of the best validation loss is chosen."""
    sizes, affine = layer_sizes(splits, hidden_sizes), jaxmlp.fit_affine(splits.train.inputs)
    network = jaxmlp.make_network(sizes, heads.binary, affine)
    num_epochs = 2 if config.smoke else config.num_epochs
    num_steps = num_epochs * batching.num_batches(len(splits.train.inputs), BATCH_SIZE)
    tuned = jaxmlp.tune(
        *(network, jaxmlp.make_optimizer("adam", "cosine"), splits.train, splits.validation),
        monitor="log_loss",
        metrics=MEASURES,
        hyperparams=jaxmlp.grid(jaxmlp.Hyperparams(num_steps=num_steps), learning_rate=config.learning_rates),
        seeds=receipt.seeds(config),
        batch_size=BATCH_SIZE,
        num_epochs=num_epochs,
        progress=config.progress,
    )
    return Model(network, tuned)


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
    return np.abs([by_motive(sums)[1] for sums in tuning.population_logits(network, params[:1], PLANE)])


def appearances(trained: np.ndarray, untrained: np.ndarray) -> Measured:
    """In which networks the indices appear, and how near the neurons that stand for them come."""
    measured: Measured = {}
    for prefix, r in (("", trained), ("untrained_", untrained)):
        measured[f"{prefix}all_three_appear"] = np.all(r >= APPEARS, axis=1), "fraction"
        for motive, near in zip(MOTIVES, r.T, strict=True):
            name = prefix + motive.replace(" ", "_")
            measured |= {f"{name}_appears": (near >= APPEARS, "fraction"), f"{name}_correlation": (near, "1")}
    r, by_chance = trained, untrained[: len(trained)]
    share = np.mean(r >= APPEARS, axis=1) - np.mean(by_chance >= APPEARS, axis=1)
    measured["trained_minus_untrained_indices_seen"] = share, "fraction"
    measured["trained_minus_untrained_correlation"] = np.mean(r - by_chance, axis=1), "1"
    return measured


def decisions(config: Config, test: jaxmlp.Dataset, models: dict[str, Model]) -> Measured:
    """How well each model and Bayes' rule decide on test data, and how far the networks are from the rest."""
    measured: Measured = {}
    reached = {}
    for name, (_, tuned) in models.items():
        measured[f"{name}_learning_rate"] = config.learning_rates[tuned.setting], "1"
        measured[f"{name}_validation_log_loss"] = tuned.scores[:, tuned.setting], "nats"
        reached[name] = jax.tree.map(np.asarray, tuned.evaluate(tuned.params, (), test))
    rule = jnp.asarray(logit(buying_probability(np.asarray(test.inputs))))[:, None]
    for measure, (function, _, unit) in MEASURES.items():
        bayes = np.asarray(function(rule, jnp.asarray(test.targets)))
        logistic, mlp = reached["logistic"][measure], reached["mlp"][measure]
        of = {"logistic": logistic, "mlp": mlp, "bayes": bayes}
        measured |= {f"{name}_test_{measure}": (values, unit) for name, values in of.items()}
        measured[f"mlp_minus_logistic_{measure}"] = mlp - logistic, unit
        measured[f"mlp_minus_bayes_{measure}"] = mlp - bayes, unit
    return measured


def answer(measured: Measured) -> list[str]:
    """How often the indices appear, how well each rule decides, and every comparison."""
    lines = []
    for name, (values, unit) in measured.items():
        if name.endswith(("_appear", "_appears")):
            lines.append(f"{name}: in {np.sum(values)} of {len(values)} networks")
        elif "_minus_" in name:
            lines.append(f"{name}: {statistics.verdict(values, unit)}")
        elif "_test_" in name:
            lines.append(f"{name}: {statistics.format_mean(*statistics.summarize(values)[:2], unit)}")
    return [line.replace("_", " ") for line in lines]


def draw(folder: Path, models: dict[str, Model], trained: np.ndarray, untrained: np.ndarray) -> None:
    """Decision maps, the indices and one network's neurons over the plane, and all correlations."""
    mlp = models["mlp"]
    best = int(np.argmin(mlp.tuned.scores[:, mlp.tuned.setting]))
    maps = {"known truth": buying_probability(PLANE)}
    for name, model in (("logistic regression", models["logistic"]), ("three hidden neurons", mlp)):
        maps[name] = expit(tuning.population_logits(model.network, model.tuned.params, PLANE)[best, :, 0])
    sums, r = by_motive(tuning.population_logits(mlp.network, mlp.tuned.params[:1], PLANE)[best])
    names = [f"nearest to {motive}:\nr = {x:+.2f}" for motive, x in zip(MOTIVES, r, strict=True)]
    chance: Any = {"colour_label": "probability of a purchase", "boundary": 0.5}
    plane(maps, folder / "decisions.png", title="Black line: 1/2, where the decision turns", **chance)
    plane(dict(zip(MOTIVES, indices(PLANE).T, strict=True)), folder / "indices.png", **chance)
    neurons = dict(zip(names, (sums / np.maximum(sums.max(axis=0), 1e-9)).T, strict=True))
    output: Any = {"colour_label": "output / its largest", "boundary": 0, "cmap": "Oranges"}
    title = "Neurons of the network with the lowest validation loss; black line: on or off"
    plane(neurons, folder / "neurons.png", title=title, **output)
    rows: dict[str, Any] = {}
    for motive, near, by_chance in zip(MOTIVES, trained.T, untrained.T, strict=True):
        rows |= {f"{motive}, trained": near, f"{motive}, untrained": by_chance}
    label = f"|r| of index and its neuron (from {APPEARS} on, the index appears)"
    charts.point_plot({"": rows}, folder / "correlations.png", xlabel=label)


def plane(maps: dict[str, np.ndarray], path: Path, **options: Any) -> None:
    shown = {name: values.reshape(SIDE, SIDE) for name, values in maps.items()}
    charts.heatmap(shown, (0, 1, 0, 1), path, xlabel="price", ylabel="utility", **options)


if __name__ == "__main__":
    main(Config, run)
