"""One search in a process of its own: ``python -m experiments.tuning.worker SYSTEM DATA SEED FILE`` reads the
rows of DATA (``numpy.savez``), saves in FILE what it finds, prints that it has, and then how good it is.
"""

import pickle
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

Rows = tuple[np.ndarray, np.ndarray]


def jaxmlp(train: Rows, test: Rows, seed: int, path: Path) -> float:
    """This library's default search; the accuracy on ``test``."""
    import jaxmlp
    from jaxmlp.runtime import compilation

    compilation.enable_cache()
    splits = jaxmlp.from_arrays(*train, test=test)
    found = jaxmlp.fit_ensemble(splits, seed=seed, progress=False)
    jaxmlp.save(path, found.ensemble)
    told()
    return jaxmlp.evaluate(found.ensemble, splits.test)["accuracy"]


def scikit_learn(train: Rows, test: Rows, seed: int, path: Path) -> float:
    """scikit-learn's perceptron, tuned by its successive halving over what matters most; the same."""
    from scipy.stats import loguniform
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ranges = {
        "mlpclassifier__learning_rate_init": loguniform(1e-4, 1e-1),
        "mlpclassifier__alpha": loguniform(1e-6, 1e1),
        "mlpclassifier__hidden_layer_sizes": [(64,), (128,), (256,), (64, 64), (128, 128), (256, 256)],
        "mlpclassifier__activation": ["relu", "tanh"],
    }
    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    options: dict[str, Any] = {"n_candidates": 27, "cv": 3, "random_state": seed}
    search = HalvingRandomSearchCV(model, ranges, **options)
    (inputs, labels), (test_inputs, test_labels) = train, test
    # Of candidates that 200 epochs are too few for.
    warnings.simplefilter("ignore", ConvergenceWarning)
    search.fit(inputs.reshape(len(inputs), -1), labels)
    path.write_bytes(pickle.dumps(search.best_estimator_))
    told()
    return float(search.score(test_inputs.reshape(len(test_inputs), -1), test_labels))


SYSTEMS = {"jaxmlp": jaxmlp, "scikit-learn": scikit_learn}


def told() -> None:
    """That the file is there, and the seconds of computing until then."""
    print(time.process_time(), flush=True)


if __name__ == "__main__":
    system, data, seed, path = sys.argv[1:]
    with np.load(data) as rows:
        train, test = ((rows[f"{part}_inputs"], rows[f"{part}_labels"]) for part in ("train", "test"))
    print(SYSTEMS[system](train, test, int(seed), Path(path)))
