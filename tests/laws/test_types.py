"""What editors and type checkers know of the public names: right code passes, wrong code is found."""

import ast
import re
from pathlib import Path

import pytest

import jaxmlp

api = pytest.importorskip("mypy.api", reason="needs mypy: pip install -e '.[dev]'")

ROOT = Path(__file__).parents[2]
RIGHT = """
import jax
import numpy as np
import optax

import jaxmlp

splits: jaxmlp.Splits = jaxmlp.from_arrays(np.ones((9, 2)), [0, 1, 0] * 3, sample_weight=np.ones(9))
table: jaxmlp.Splits = jaxmlp.read_table("customers.csv", "bought", test="others.csv")


def loss(logits: jax.Array, target: jax.Array) -> jax.Array:
    return (logits[0] - target) ** 2


def bias(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return (logits - targets).mean()


result = jaxmlp.fit_mlp(
    splits, hidden_sizes=(8,), optimizer=optax.adam(1e-3), loss=loss, metrics={"bias": bias}
)
accuracy: float = jaxmlp.evaluate(result.model, splits.test)["accuracy"]
epoch: int = result.best_epoch
model: jaxmlp.Model = jaxmlp.fit_mlp(table, optimizer="adamw", num_seeds=3, start=result.model).models[0]
labels: np.ndarray = jaxmlp.predict(jaxmlp.load(jaxmlp.save("model.safetensors", model)), splits.test.inputs)
found = jaxmlp.fit_ensemble(splits, {"learning_rate": jaxmlp.Range(1e-4, 1e-2, log=True), "hidden_sizes": 64})
ensemble: jaxmlp.Model = found.ensemble
settings: jaxmlp.Hyperparams = jaxmlp.grid(learning_rate=(1e-3, 1e-2))
train: jaxmlp.Train = jaxmlp.make_train(
    lambda key, hyperparams: ((), ()), lambda *a: (a[0], a[1]), optax.adamw(1e-3), 32
)
kept = jaxmlp.Checkpoints("folder", every=5)
metric = jaxmlp.Metric(bias, higher_is_better=False)
classifier = jaxmlp.EnsembleClassifier(num_folds=3, class_weight="balanced", random_state=0)
score: float = classifier.fit(np.ones((9, 2)), [0, 1, 0] * 3).oof_score_
"""
WRONG = {
    "jaxmlp.Hyperparams(learning_rat=3)": "learning_rat",
    "jaxmlp.fit_mlp(splits, hidden_size=(3,))": "hidden_size",
    "jaxmlp.fit_mlp([1, 2])": "arg-type",
    "jaxmlp.fit_mlp(splits).modle": "modle",
    "splits.colums": "colums",
    "jaxmlp.Range('low', 3)": "arg-type",
    "jaxmlp.fit_mlpp(splits)": "fit_mlpp",
    "jaxmlp.evaluate(splits, splits.test)": "arg-type",
    "jaxmlp.save('a.safetensors', result)": "arg-type",
    "jaxmlp.MLPRegressor(num_epoch=3)": "num_epoch",
    "word: str = jaxmlp.predict(model, splits.test.inputs)": "assignment",
}


@pytest.fixture(scope="module")
def told():
    """What mypy says of each line of the user's file."""
    cache = ROOT / ".pytest_cache" / "mypy"
    cache.mkdir(parents=True, exist_ok=True)
    # In one place: from its cache, mypy would tell of the place of an earlier run.
    path = cache / "user.py"
    path.write_text(RIGHT + "\n".join(WRONG) + "\n")
    options = ["--follow-imports=silent", "--ignore-missing-imports", f"--cache-dir={cache}"]
    # As a user's program, which has none of the project's own settings.
    said, errors, _ = api.run([str(path), "--config-file=", *options])
    assert not errors
    found: dict[int, str] = {}
    for line in said.splitlines():
        if match := re.match(rf".*{path.name}:(\d+): error: (.*)", line):
            found[int(match[1])] = match[2]
    return found


def test_right_code_passes(told):
    assert {line: text for line, text in told.items() if line <= RIGHT.count("\n")} == {}


@pytest.mark.parametrize("number", range(len(WRONG)), ids=list(WRONG))
def test_wrong_code_is_found(told, number):
    line = RIGHT.count("\n") + 1 + number
    assert list(WRONG.values())[number] in told[line]


def test_type_checkers_know_every_public_name():
    tree = ast.parse((ROOT / "jaxmlp" / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    known = {(str(node.module), alias.asname) for node in block.body for alias in node.names}
    assert known == {(f"jaxmlp.{module}", name) for name, module in jaxmlp._MODULE_OF.items()}
