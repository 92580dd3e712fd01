"""scikit-learn's own search for a perceptron, which this library's is compared with."""

from typing import Any

from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV

RANGES = {
    "learning_rate_init": loguniform(1e-4, 1e-1),
    "alpha": loguniform(1e-6, 1e1),
    "hidden_layer_sizes": [(64,), (128,), (256,), (64, 64), (128, 128), (256, 256)],
    "activation": ["relu", "tanh"],
}
"""What matters most of MLPClassifier and MLPRegressor."""


def perceptron_search(model: Any, way: str, **options: Any) -> HalvingRandomSearchCV:
    """Successive halving of 27 settings of ``model``, whose perceptron's arguments have names that begin with
    ``way``; ``options`` are further arguments of HalvingRandomSearchCV.
    """
    ranges = {f"{way}__{name}": values for name, values in RANGES.items()}
    return HalvingRandomSearchCV(model, ranges, n_candidates=27, cv=3, **options)
