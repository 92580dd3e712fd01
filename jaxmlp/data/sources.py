"""Data sets by name: those that scikit-learn ships, and images by way of tensorflow-datasets."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets

from jaxmlp import checks
from jaxmlp.data import tfds_cache
from jaxmlp.data.class_weights import ClassWeight
from jaxmlp.data.splits import Splits, from_arrays
from jaxmlp.data.tfds_cache import RawData

_SCIKIT_LEARN: dict[str, Callable[[], Any]] = {
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    # Scaled, its columns would already carry the mean and spread of the test part.
    "diabetes": functools.partial(sklearn.datasets.load_diabetes, scaled=False),
    "linnerud": sklearn.datasets.load_linnerud,
}


def load_dataset(
    name: str,
    *,
    manual_dir: str | Path | None = None,
    class_weight: ClassWeight | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
) -> Splits:
    """The data set called ``name``, split and weighed as by ``from_arrays``.

    ``name`` is one that scikit-learn ships (digits as 8×8 images, iris, wine, breast_cancer, diabetes,
    linnerud) or any tensorflow-datasets image classification set of one image size, as ``set`` or
    ``set/config``. Of the latter the parts called train and test are used, and only those; without a test
    part one is cut off train. A channel axis of length 1 is dropped.

    ``manual_dir`` (or the environment variable JAXMLP_MANUAL_DIR) is a folder of files downloaded
    beforehand, looked at only while the set is prepared. Prepared sets rest in JAXMLP_CACHE_DIR, or
    ``jaxmlp`` in the user's cache folder. Everything that can go wrong raises InputError.
    """
    checks.of_type("name", name, str)
    if name in _SCIKIT_LEARN:
        raw = _read_scikit_learn(name)
    else:
        raw = tfds_cache.read_tfds(name, manual_dir, others=tuple(_SCIKIT_LEARN))
    splits = from_arrays(
        raw.inputs,
        raw.targets,
        class_names=raw.class_names,
        class_weight=class_weight,
        name=name,
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        test=raw.test,
    )
    return splits._replace(input_names=raw.input_names)


def read_offline(name: str) -> RawData | None:
    """The data set called ``name`` as its source delivers it, if it can be had without the network: it ships
    with scikit-learn, or was prepared before.
    """
    return _read_scikit_learn(name) if name in _SCIKIT_LEARN else tfds_cache.read_prepared(name)


def _read_scikit_learn(name: str) -> RawData:
    bunch = _SCIKIT_LEARN[name]()
    # Only digits has images: whole numbers 0…16 stored as floats.
    inputs = bunch.images.astype(np.uint8) if "images" in bunch else bunch.data
    class_names = tuple(map(str, bunch.target_names)) if bunch.target.dtype.kind in "iu" else ()
    names = () if inputs.ndim > 2 else tuple(map(str, bunch.feature_names))
    return RawData(inputs, bunch.target, class_names, None, names)
