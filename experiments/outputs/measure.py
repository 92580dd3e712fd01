"""The same splits for our network and scikit-learn's models, and what each makes of the test parts."""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

import jaxmlp
from experiments.harness.answers import Measures
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, layer_sizes, standardize
from jaxmlp.nn import metrics
from jaxmlp.train.loop import fit
from jaxmlp.types import Numbers

if TYPE_CHECKING:
    from experiments.outputs.__main__ import Config

TASKS = {"breast_cancer": "binary", "wine": "multiclass", "diabetes": "regression", "digits": "multiclass"}
RIVALS = {"sklearn_mlp": (MLPClassifier, MLPRegressor), "linear_model": (LogisticRegression, Ridge)}
R2 = metrics.REGRESSION["r2"]._replace(unit="fraction")
MEASURES = {"binary": metrics.CLASSIFICATION, "multiclass": metrics.CLASSIFICATION, "regression": {"r2": R2}}
HIDDEN_SIZES = (100,)


class Outcome(NamedTuple):
    """One data set: its measures, one value per split, and how sure each method was of each example."""

    measures: Measures
    confidences: dict[str, dict[str, np.ndarray]]
    seconds: dict[str, float]


def compare(config: "Config", name: str) -> Outcome:
    """Every method on the same splits of one data set."""
    splits = [standardize(sources.load_dataset(name, split_seed=seed)) for seed in config.seeds]
    task, targets = TASKS[name], np.stack([split.test.targets for split in splits])
    logits, choices, seconds = train_network(config, splits)
    answers = {"network": logits}
    for rival, classes in RIVALS.items():
        options = [{"max_iter": config.max_iter, "random_state": seed} for seed in config.seeds]
        models = [classes[task == "regression"](**each) for each in options]
        answers[rival] = np.stack([ask(*pair) for pair in zip(models, splits, strict=True)])
        if rival == "sklearn_mlp":
            choices["sklearn_mlp_iterations"] = np.array([model.n_iter_ for model in models])
    measure = jax.jit(jax.vmap(lambda z, y: {m: each.function(z, y) for m, each in MEASURES[task].items()}))
    found: Measures = {}
    for method, z in answers.items():
        scores = measure(z, targets).items()
        found |= {f"{method}_{m}": (np.asarray(score), MEASURES[task][m].unit) for m, score in scores}
    sure = {} if task == "regression" else {method: confidence(z, targets) for method, z in answers.items()}
    return Outcome(found | {name: (chosen, "1") for name, chosen in choices.items()}, sure, seconds)


def train_network(config: "Config", splits: list[Splits]) -> tuple[np.ndarray, dict, dict[str, float]]:
    """The network's logits of the test parts, what the validation parts chose, and the seconds."""
    task = splits[0].task
    train, validation, test = jax.tree.map(lambda *leaves: np.stack(leaves), *[split[:3] for split in splits])
    unchanged = jaxmlp.Affine(jnp.zeros(()), jnp.ones(()))
    network = jaxmlp.make_network(layer_sizes(splits[0], HIDDEN_SIZES), task, unchanged)
    monitor = "rmse" if task == "regression" else "log_loss"
    run_of_one = jaxmlp.make_train(network.init_fn, network.loss_fn, "adam", config.batch_size)
    evaluate = jaxmlp.make_evaluate(network.predict_fn, {monitor: metrics.METRICS[task][monitor]})
    runs, evaluate = jaxmlp.vmap_runs(
        *jaxmlp.vmap_runs(run_of_one, evaluate, "hyperparams"), "key", "dataset", "data_key"
    )
    key, data_key = jaxmlp.seed_keys(config.seeds)
    options: dict[str, Any] = {"num_epochs": config.num_epochs, "progress": config.progress}
    options["hyperparams"] = jaxmlp.grid(jaxmlp.Hyperparams(), learning_rate=config.learning_rates)
    fitted = fit(runs, evaluate, train, validation, key=key, data_key=data_key, **options)
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
    # Threads that share products so small wait for each other many times as long as these take.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The record says how many iterations there were.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, targets.squeeze())
    if split.task == "regression":
        return model.predict(split.test.inputs).reshape(len(split.test.inputs), -1)
    # A probability may have been rounded to 0; scikit-learn's log-loss clips it alike.
    return np.log(np.maximum(model.predict_proba(split.test.inputs), np.finfo(float).eps))


def confidence(logits: Numbers, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The probability of each predicted class, to three decimals, and whether it was right (1 or 0)."""
    flat = jnp.reshape(jnp.asarray(logits), (labels.size, -1))
    probabilities = np.exp(np.asarray(metrics.log_probabilities(flat), float))
    right = probabilities.argmax(axis=1) == labels.ravel()
    return {"confidence": probabilities.max(axis=1).round(3), "right": right.astype(int)}
