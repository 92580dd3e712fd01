"""All that is trained in the benchmark, and on what."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from experiments.benchmark.work import Data, Work
from experiments.harness.flags import load
from jaxmlp import InputError, fit_affine
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, from_arrays, standardize

if TYPE_CHECKING:
    from experiments.benchmark.__main__ import Config


def works_of(data: dict[str, Data]) -> dict[str, Work]:
    """All that is trained, by name; what comes before the first comma names its picture."""

    def work(*hidden: int, dataset: str = "images", **options: Any) -> Work:
        found = data[dataset]
        sizes = found.inputs.shape[1], *hidden, int(found.labels.max()) + 1
        return Work(sizes, dataset=dataset, **options)

    works = {
        f"{name}, batch {batch_size}": work(*hidden, batch_size=batch_size)
        for name, hidden in {"60": (60,), "512-512": (512, 512)}.items()
        for batch_size in (128, 512)
    }
    works["1024-1024-1024"] = work(1024, 1024, 1024)
    works["table, 256-256"] = work(256, 256, dataset="table")
    works["digits, 100"] = work(100, dataset="digits")
    for num_members in (8, 32):
        works[f"population, {num_members} of 60"] = work(60, num_members=num_members)
    return works


def growing(data: Data) -> dict[str, dict[int, Work]]:
    """Works of this library alone, in each of which one number grows."""
    num_inputs, num_classes = data.inputs.shape[1], int(data.labels.max()) + 1

    def work(width: int = 128, depth: int = 1, **options: Any) -> Work:
        return Work((num_inputs, *(width,) * depth, num_classes), **options)

    most = len(data.inputs)
    # A thousand members at once are for a device that has room for them.
    numbers = (1, 8, 32, 128) if jax.default_backend() == "cpu" else (1, 8, 32, 128, 1024, 8192)
    return {
        "examples": {most // share: work(num_examples=most // share) for share in (8, 4, 2, 1)},
        "width": {width: work(width) for width in (64, 128, 256, 512, 1024)},
        "depth": {depth: work(depth=depth) for depth in (1, 2, 4, 8)},
        "members": {number: work(60, num_members=number) for number in numbers},
    }


def load_all(config: "Config") -> dict[str, Data]:
    """The images, a table of two classes in 20 columns, and scikit-learn's digits."""
    from sklearn.datasets import make_classification

    largest = config.num_examples
    if largest < 512:
        raise InputError(f"num_examples: must be at least 512, the largest batch, got {largest}")
    images = load(config, validation_fraction=0.1)
    rows, classes = make_classification(12_500, 20, n_informative=10, random_state=config.seed)
    table = from_arrays(rows, classes, validation_fraction=0.1, test_fraction=0.1)
    digits = sources.load_dataset("digits", validation_fraction=0.25)
    return {
        "images": whole_batches(images, largest, 512),
        "table": whole_batches(table, 10_000, 128),
        "digits": whole_batches(digits, largest, 128),
    }


def whole_batches(splits: Splits, largest: int, batch_size: int) -> Data:
    """Rows of scaled numbers: ``largest`` to train on at most, in whole batches, so that nobody has to pad;
    the rest, but for the test part, is validated on.
    """
    parts = standardize(splits)[:2]
    inputs = np.concatenate([part.inputs for part in parts]).astype(np.float32)
    labels = np.concatenate([part.targets for part in parts]).astype(np.int32)
    cut = min(largest, len(splits.train.inputs)) // batch_size * batch_size
    data = Data(inputs[:cut], labels[:cut], inputs[cut:], labels[cut:])
    raw, (shift, scale) = np.asarray(splits.train.inputs[:cut]), fit_affine(splits.train.inputs)
    if raw.dtype == np.uint8 and not np.any(shift):
        return data._replace(pixels=raw.reshape(cut, -1), brightest=np.asarray(scale))
    return data
