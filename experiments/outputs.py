"""Sigmoid, softmax or a linear output: does each serve its task as well as scikit-learn's own models?

    python -m experiments.outputs

trains one hidden layer of 100 neurons on breast cancer (sigmoid), wine and digits (softmax) and diabetes
(linear), on 10 random splits of each: all splits at all learning rates are one compiled program. Rate and
epoch are chosen on a split's validation part; scikit-learn's MLP and linear model choose nothing and learn
from it too. The test part is read once, and the methods are compared split by split. runs/outputs holds
the record, scores, reliability diagrams, and what a safe and a naive softmax make of growing logits.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

import jaxmlp
from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks, statistics
from jaxmlp.data import sources
from jaxmlp.data import splits as data_splits
from jaxmlp.data.splits import Splits, standardize
from jaxmlp.nn import heads, metrics
from jaxmlp.plots import charts, classifier
from jaxmlp.train.loop import fit
from jaxmlp.types import Numbers

OUTPUTS = {"breast_cancer": "sigmoid", "wine": "softmax", "diabetes": "linear", "digits": "softmax"}
RIVALS = {"sklearn_mlp": (MLPClassifier, MLPRegressor), "linear_model": (LogisticRegression, Ridge)}
LABELS = {"network": "our network", "sklearn_mlp": "scikit-learn's MLP", "linear_model": "linear model"}
R2 = metrics.REGRESSION["r2"]._replace(unit="fraction")
MEASURES = {"binary": metrics.CLASSIFICATION, "multiclass": metrics.CLASSIFICATION, "regression": {"r2": R2}}
TEST_FRACTION, BATCH_SIZE, HIDDEN_SIZES, MAX_ITER = 0.2, 32, (100,), 2000
SIZES = np.logspace(0, 4, 81)


@dataclass(frozen=True)
class Config(receipt.Config):
    num_seeds: int = 10
    """Random splits, each with initial weights and an order of its own."""
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2)
    """Rates of Adam to choose from."""
    num_epochs: int = 100
    """Passes through the training data, of which the best for the validation part is kept."""


class Outcome(NamedTuple):
    """One data set: scores by method and measure, one value per split, and how sure each method was."""

    task: str
    scores: dict[str, dict[str, np.ndarray]]
    choices: dict[str, np.ndarray]
    confidences: dict[str, dict[str, np.ndarray]]
    seconds: dict[str, float]


def run(config: Config) -> None:
    """Compare on every data set, try softmax, record and draw."""
    checks.each("learning_rates", config.learning_rates, checks.positive)
    checks.integer("num_epochs", config.num_epochs)
    begun = receipt.begin(config)
    # One data set for each head is enough to see that all works.
    outcomes = {name: compare(config, name) for name in list(OUTPUTS)[: 3 if config.smoke else None]}
    laws = jax.device_get(jax.jit(jax.vmap(softmax_laws))(jaxmlp.seed_keys(receipt.seeds(config))[0]))
    curves = {"safe": loss_by_size(heads.multiclass().loss), "naive": loss_by_size(naive_loss)}
    verdicts = {name: judge(outcome) for name, outcome in outcomes.items()}
    receipt.finish(
        begun,
        config,
        dataset=", ".join(outcomes),
        metrics={f"{name}_{k}": v for name, outcome in outcomes.items() for k, v in measured(outcome).items()}
        | {law: (v, "fraction" if "share" in law else "machine epsilon") for law, v in laws.items()},
        tables={name: {**o.confidences, "verdicts": verdicts[name]} for name, o in outcomes.items()}
        | {"softmax_loss": {"size": SIZES, **curves}},
        seconds={key: sum(o.seconds[key] for o in outcomes.values()) for key in ("compile", "train")},
        notes={"varied": "split", "hidden_sizes": HIDDEN_SIZES, "max_iter": MAX_ITER},
    )
    draw(begun.folder, outcomes, curves)
    tell(verdicts, laws)


def compare(config: Config, name: str) -> Outcome:
    """Every method on the same splits of one data set."""
    seeds, limit = receipt.seeds(config), 5 if config.smoke else MAX_ITER
    loaded = [sources.load_dataset(name, split_seed=seed, test_fraction=TEST_FRACTION) for seed in seeds]
    splits = [standardize(split) for split in loaded]
    task, targets = splits[0].task, np.stack([split.test.targets for split in splits])
    logits, choices, seconds = train_network(config, splits)
    answers, models = {"network": logits}, {}
    for rival, classes in RIVALS.items():
        models[rival] = [classes[task == "regression"](max_iter=limit, random_state=seed) for seed in seeds]
        answers[rival] = np.stack([ask(*pair) for pair in zip(models[rival], splits, strict=True)])
    choices["sklearn_mlp_iterations"] = np.array([model.n_iter_ for model in models["sklearn_mlp"]])
    functions = {name: metric.function for name, metric in MEASURES[task].items()}
    measure = jax.jit(jax.vmap(lambda z, y: {name: function(z, y) for name, function in functions.items()}))
    scores = {method: jax.tree.map(np.asarray, measure(z, targets)) for method, z in answers.items()}
    sure = {} if task == "regression" else {method: confidence(z, targets) for method, z in answers.items()}
    return Outcome(task, scores, choices, sure, seconds)


def train_network(config: Config, splits: list[Splits]) -> tuple[np.ndarray, dict, dict[str, float]]:
    """The network's logits of the test parts, what the validation parts chose, and the seconds."""
    task, parts = splits[0].task, [split[:3] for split in splits]
    train, validation, test = jax.tree.map(lambda *leaves: np.stack(leaves), *parts)
    layer_sizes = data_splits.layer_sizes(splits[0], HIDDEN_SIZES)
    identity = jaxmlp.Affine(jnp.zeros(()), jnp.ones(()))
    network = jaxmlp.make_network(layer_sizes, heads.HEADS[task], identity)
    adam, monitor = jaxmlp.make_optimizer("adam"), "rmse" if task == "regression" else "log_loss"
    run_of_one = jaxmlp.make_train(network.init_fn, network.loss_fn, adam, BATCH_SIZE)
    evaluate = jaxmlp.make_evaluate(network.predict_fn, {monitor: metrics.METRICS[task][monitor]})
    runs, evaluate = jaxmlp.vmap_runs(
        *jaxmlp.vmap_runs(run_of_one, evaluate, "hyperparams"), "key", "dataset", "data_key"
    )
    key, data_key = jaxmlp.seed_keys(receipt.seeds(config))
    fitted = fit(
        runs,
        evaluate,
        train,
        validation,
        key=key,
        data_key=data_key,
        hyperparams=jaxmlp.grid(jaxmlp.Hyperparams(), learning_rate=config.learning_rates),
        num_epochs=min(config.num_epochs, 2) if config.smoke else config.num_epochs,
        progress=config.progress,
    )
    chosen = np.arange(len(splits)), fitted.best_score.argmin(axis=1)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[chosen], fitted.params)
    predict = jax.jit(jax.vmap(jax.vmap(network.predict_fn, (None, None, 0)), (0, None, 0)))
    rates, epochs = np.asarray(config.learning_rates)[chosen[1]], fitted.best_epoch[chosen]
    choices = {"network_learning_rate": rates, "network_best_epoch": epochs}
    return np.asarray(predict(params, (), test.inputs)), choices, fitted.seconds


def ask(model: Any, split: Splits) -> np.ndarray:
    """A scikit-learn model's logits of the test part after it has learnt from the two others."""
    seen = zip(split.train[:2], split.validation[:2], strict=True)
    inputs, targets = (np.concatenate(both) for both in seen)
    with warnings.catch_warnings():
        # The record says how many iterations there were.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, targets.squeeze())
    if split.task == "regression":
        return model.predict(split.test.inputs).reshape(len(split.test.inputs), -1)
    # A probability may have been rounded to 0; scikit-learn's log-loss clips it alike.
    return np.log(np.maximum(model.predict_proba(split.test.inputs), np.finfo(float).eps))


def differences(outcome: Outcome) -> dict[tuple[str, str], np.ndarray]:
    """Our network minus each rival by each measure, split by split."""
    ours, pairs = outcome.scores["network"], product(RIVALS, MEASURES[outcome.task])
    return {(rival, measure): ours[measure] - outcome.scores[rival][measure] for rival, measure in pairs}


def measured(outcome: Outcome) -> dict[str, tuple[np.ndarray, str]]:
    """What the record says of one data set, one value per split."""
    values = {f"{method}_{m}": (v, m) for method, by in outcome.scores.items() for m, v in by.items()}
    values |= {f"network_minus_{rival}_{m}": (v, m) for (rival, m), v in differences(outcome).items()}
    units = {measure: metric.unit for measure, metric in MEASURES[outcome.task].items()}
    return {name: (v, units[m]) for name, (v, m) in values.items()} | {
        name: (v, "1") for name, v in outcome.choices.items()
    }


def judge(outcome: Outcome) -> list[str]:
    """What the interval of each difference allows to say."""
    verdicts = []
    for (rival, measure), values in differences(outcome).items():
        metric, (low, high) = MEASURES[outcome.task][measure], resampled_interval(values, TEST_FRACTION)
        said = verdict(low, high, bool(metric.higher_is_better))
        change = f"{values.mean():+.4f}, 95 % between {low:+.4f} and {high:+.4f}"
        verdicts.append(f"our {measure} minus that of {LABELS[rival]}: {change}: {said}")
    return verdicts


def naive_softmax(logits: Array) -> Array:
    return jnp.exp(logits) / jnp.sum(jnp.exp(logits))


def naive_loss(logits: Array, label: Array) -> Array:
    return -jnp.log(naive_softmax(logits)[label])


def softmax_laws(key: Array) -> dict[str, Array]:
    """How far softmax strays from its laws on 1000 random rows of 10, and who stays finite at ±10,000."""
    logits_key, sign_key = jax.random.split(key)
    # In steps of 1/64, adding 1000 is exact: what changes then is the formula's doing.
    logits = jnp.round(640 * jax.random.normal(logits_key, (1000, 10))) / 64
    extreme = 1e4 * jax.random.rademacher(sign_key, logits.shape, float)
    softmax, epsilon = jax.vmap(heads.multiclass().link), jnp.finfo(logits.dtype).eps
    return {
        "softmax_sum_off_by": jnp.abs(softmax(logits).sum(axis=1) - 1).max() / epsilon,
        "softmax_changed_by_shift": jnp.abs(softmax(logits + 1000) - softmax(logits)).max() / epsilon,
        "softmax_finite_share": jnp.isfinite(softmax(extreme)).all(axis=1).mean(),
        "naive_softmax_finite_share": jnp.isfinite(jax.vmap(naive_softmax)(extreme)).all(axis=1).mean(),
    }


def loss_by_size(loss: Callable[..., Array]) -> np.ndarray:
    """The loss when the true class has logit -size and the largest of nine others +size."""
    logits = jnp.asarray(np.outer(SIZES, np.linspace(-1, 1, 10)))
    return np.asarray(jax.vmap(loss, (0, None))(logits, jnp.zeros((), int)))


def draw(folder: Path, outcomes: dict[str, Outcome], curves: dict[str, np.ndarray]) -> None:
    """The scores and the reliability of each data set, and the two formulas of softmax."""
    for name, outcome in outcomes.items():
        title, wish = name.replace("_", " "), {True: "more is better", False: "less is better"}
        panels = {m: {LABELS[k]: by[m] for k, by in outcome.scores.items()} for m in MEASURES[outcome.task]}
        charts.point_plot(
            {measure.replace("_", " ").replace("r2", "R²"): rows for measure, rows in panels.items()},
            folder / f"{name}.png",
            xlabel=[f"{m.unit}, {wish[bool(m.higher_is_better)]}" for m in MEASURES[outcome.task].values()],
            title=f"{title}, {OUTPUTS[name]} output: test parts of the splits",
        )
        if confidences := outcome.confidences:
            sure = {f"{title}, {LABELS[k]}": (c["confidence"], c["right"]) for k, c in confidences.items()}
            classifier.reliability(sure, folder / f"reliability_{name}.png")
    charts.line_plot(
        {"": {f"{name} formula": (SIZES, curve[None]) for name, curve in curves.items()}},
        folder / "softmax.png",
        xlabel="size of the logits: true class -size, largest other class +size",
        ylabel="loss (nats)",
        log_x=True,
        log_y=True,
        title="Where the naive softmax ends",
    )


def tell(verdicts: dict[str, list[str]], laws: dict[str, np.ndarray]) -> None:
    """Every comparison in a sentence, and the laws of softmax."""
    for name, sentences in verdicts.items():
        for sentence in sentences:
            print(f"{name}, {OUTPUTS[name]}: {sentence}")
    off, changed = laws["softmax_sum_off_by"].max(), laws["softmax_changed_by_shift"].max()
    ours, naive = laws["softmax_finite_share"].mean(), laws["naive_softmax_finite_share"].mean()
    print(f"softmax sums to 1 within {off:.2g} machine epsilon; a shift changes it by {changed:.2g}")
    print(f"at logits of ±10,000 it is finite in {ours:.0%} of rows, the naive formula in {naive:.0%}")


def confidence(logits: Numbers, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The probability of each predicted class, to three decimals, and whether it was right (1 or 0)."""
    flat = jnp.reshape(jnp.asarray(logits), (labels.size, -1))
    probabilities = np.exp(np.asarray(metrics.log_probabilities(flat), float))
    right = probabilities.argmax(axis=1) == labels.ravel()
    return {"confidence": probabilities.max(axis=1).round(3), "right": right.astype(int)}


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
    main(Config, run)
