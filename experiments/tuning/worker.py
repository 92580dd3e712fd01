"""One search in a process of its own, ``experiments.tuning.worker SYSTEM DATA SEED FILE``: it reads the rows
of DATA (``numpy.savez``), saves in FILE what it finds, and tells when it had, and how good it is.
"""

import pickle
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.harness.apart import serve

Rows = tuple[np.ndarray, np.ndarray]
Told = tuple[float, float, float]
"""The time of day when the file was there, the seconds of computing until then, and the accuracy."""


def jaxmlp(train: Rows, test: Rows, seed: int, path: Path) -> Told:
    """This library's default search."""
    import jaxmlp
    from jaxmlp.runtime import compilation

    compilation.enable_cache()
    splits = jaxmlp.from_arrays(*train, test=test)
    found = jaxmlp.fit_ensemble(splits, seed=seed, progress=False)
    jaxmlp.save(path, found.ensemble)
    return time.time(), time.process_time(), jaxmlp.evaluate(found.ensemble, splits.test)["accuracy"]


def scikit_learn(train: Rows, test: Rows, seed: int, path: Path) -> Told:
    """scikit-learn's perceptron, tuned by its successive halving."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from experiments.harness.perceptron_search import perceptron_search

    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    search = perceptron_search(model, "mlpclassifier", random_state=seed)
    (inputs, labels), (test_inputs, test_labels) = train, test
    # Of candidates that 200 epochs are too few for.
    warnings.simplefilter("ignore", ConvergenceWarning)
    search.fit(inputs.reshape(len(inputs), -1), labels)
    path.write_bytes(pickle.dumps(search.best_estimator_))
    done = time.time(), time.process_time()
    return *done, float(search.score(test_inputs.reshape(len(test_inputs), -1), test_labels))


if __name__ == "__main__":
    system, data, seed, path = sys.argv[1:]
    rows = np.load(data)
    parts = [(rows[f"{part}_inputs"], rows[f"{part}_targets"]) for part in ("train", "test")]
    searches: dict[str, Callable[..., Told]] = {"jaxmlp": jaxmlp, "scikit-learn": scikit_learn}
    serve(lambda: {"search": lambda: searches[system](*parts, int(seed), Path(path))})
