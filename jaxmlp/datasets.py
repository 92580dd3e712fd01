"""Data sets as NumPy arrays on the host, checked and cut into train, validation and test.

The only file that reads data from disk or network. A tensorflow-datasets set is prepared once, in a scratch
folder, and kept as plain ``.npy`` files; reading those needs neither TensorFlow nor tensorflow-datasets.
"""

import contextlib
import difflib
import functools
import importlib
import importlib.util
import io
import json
import logging
import os
import sys
import tempfile
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import sklearn.datasets
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from jaxmlp import checks
from jaxmlp.types import Dataset, InputError


class Splits(NamedTuple):
    """A data set in three disjoint parts, all NumPy arrays; ``class_names`` is empty for regression."""

    train: Dataset
    validation: Dataset
    test: Dataset
    task: str
    class_names: tuple[str, ...]
    name: str
    split_seed: int


class _Raw(NamedTuple):
    """A data set as its source delivers it; ``test`` is None where the source has no test part."""

    inputs: np.ndarray
    targets: np.ndarray
    class_names: tuple[str, ...]
    test: tuple[np.ndarray, np.ndarray] | None


TASKS = ("binary", "multiclass", "regression")

_SCIKIT_LEARN: dict[str, Callable[[], Any]] = {
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    # Scaled, its columns would already carry the mean and spread of the test part.
    "diabetes": functools.partial(sklearn.datasets.load_diabetes, scaled=False),
    "linnerud": sklearn.datasets.load_linnerud,
}


def load(
    name: str,
    *,
    manual_dir: str | Path | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
) -> Splits:
    """The data set called ``name``, split as by ``from_arrays``.

    ``name`` is one that scikit-learn ships (digits as 8×8 images, iris, wine, breast_cancer, diabetes,
    linnerud) or any tensorflow-datasets image classification set of one image size, as ``set`` or
    ``set/config``. Of the latter the parts called train and test are used, and only those; without a test
    part one is cut off train. A channel axis of length 1 is dropped.

    ``manual_dir`` (or the environment variable JAXMLP_MANUAL_DIR) is a folder of files downloaded
    beforehand, looked at only while the set is prepared. Prepared sets rest in JAXMLP_CACHE_DIR, or
    ``jaxmlp`` in the user's cache folder. Everything that can go wrong raises InputError.
    """
    raw = _read_scikit_learn(name) if name in _SCIKIT_LEARN else _read_or_prepare(name, manual_dir)
    return from_arrays(
        raw.inputs,
        raw.targets,
        class_names=raw.class_names,
        name=name,
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        test=raw.test,
    )


def from_arrays(
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    task: str | None = None,
    class_names: Sequence[str] = (),
    name: str = "arrays",
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    test: tuple[ArrayLike, ArrayLike] | None = None,
) -> Splits:
    """Check arrays whose first axis counts examples, and split them, stratified by class where there are any.

    The test part is ``test`` if given, else ``test_fraction`` of all examples; the validation part is
    ``validation_fraction`` of what remains. The same ``split_seed`` gives the same split.

    Without ``task``, integers, booleans or given ``class_names`` mean classes (two are "binary", more
    "multiclass") and floats mean regression. Labels are 0…k−1, with k the number of ``class_names``; without
    names k is the largest label + 1, and each label below must occur. Inputs other than uint8, and regression
    targets, become JAX's default float; labels become int32.
    """
    values = _as_numbers("targets", targets)
    if task is not None:
        checks.known_name("task", task, TASKS)
    if class_names or (_are_classes(values) if task is None else task != "regression"):
        class_names = tuple(map(str, class_names)) or _number_classes(_as_labels("targets", values))
    task = task or {0: "regression", 2: "binary"}.get(len(class_names), "multiclass")
    _check_task(task, class_names)
    rest = _check_part("", inputs, values, class_names)
    if class_names and len(np.unique(rest.targets)) < 2:
        raise InputError(f"targets: at least two classes must occur, got only label {rest.targets[0]}")
    cut = functools.partial(_cut, stratify=bool(class_names), split_seed=split_seed)
    if test is None:
        rest, test_part = cut(rest, "test_fraction", test_fraction)
    else:
        test_part = _check_part("test ", *test, class_names)
        _check_same_shapes(rest, test_part)
    train, validation = cut(rest, "validation_fraction", validation_fraction)
    return Splits(train, validation, test_part, task, tuple(class_names), name, split_seed)


def with_class_weights(dataset: Dataset, class_weight: str | Mapping[int, float]) -> Dataset:
    """The data set with one weight per example, by its class, scaled to mean 1; earlier weights are replaced.

    "balanced" gives every class the same total; a mapping gives the relative weight of every label that
    occurs.
    """
    labels = np.asarray(dataset.targets)
    if labels.dtype.kind not in "iu":
        raise InputError(f"class_weight: needs class labels as targets, got {labels.dtype} values")
    if isinstance(class_weight, Mapping):
        _check_class_weight(class_weight, set(np.unique(labels).tolist()))
    elif class_weight != "balanced":
        raise InputError(f"class_weight: must be 'balanced' or {{label: weight}}, got {class_weight!r}")
    weights = compute_sample_weight(class_weight, labels)
    return dataset._replace(weights=(weights / weights.mean()).astype(_float_dtype()))


def _check_class_weight(class_weight: Mapping[int, float], labels: set[int]) -> None:
    if set(class_weight) != labels:
        raise InputError(
            f"class_weight: must weigh the labels that occur, {sorted(labels)}, got {list(class_weight)}"
        )
    for label, weight in class_weight.items():
        checks.at_least_zero(f"class_weight[{label}]", weight)
    if not any(class_weight.values()):
        raise InputError("class_weight: at least one weight must be above 0, got only zeros")


def _float_dtype() -> np.dtype:
    return jnp.zeros(()).dtype


def _as_numbers(argument: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{argument}: rows must have one shape; {_first_line(error)}") from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{argument}: must be an array of real numbers, got dtype {array.dtype}; encode it as numbers"
        )
    if array.size == 0 or array.ndim == 0:
        raise InputError(f"{argument}: must hold at least one example, got shape {array.shape}")
    return array


def _as_floats(argument: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        floats = array.astype(_float_dtype())
    broken = ~np.isfinite(floats).reshape(len(floats), -1).all(axis=1)
    if broken.any():
        raise InputError(
            f"{argument}: must be finite as {floats.dtype}, got NaN or infinity in {broken.sum()} of "
            f"{len(broken)} rows, the first is row {broken.argmax()}; fill or drop them"
        )
    return floats


def _as_labels(argument: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise InputError(
            f"{argument}: must be one label per example, got shape {array.shape}; "
            "of one-hot rows pass argmax(axis=1)"
        )
    if array.dtype.kind == "f":
        broken = _as_floats(argument, array) % 1 != 0
        if broken.any():
            row = int(broken.argmax())
            raise InputError(f"{argument}: labels must be whole numbers, got {array[row]} in row {row}")
    return array


def _are_classes(targets: np.ndarray) -> bool:
    """Whether targets given without a task are labels; rows of whole numbers could be either."""
    if targets.dtype.kind != "f" and targets.ndim > 1:
        raise InputError(
            f"task: cannot be inferred from whole-number targets of shape {targets.shape}; pass 'regression'"
        )
    return targets.dtype.kind != "f"


def _number_classes(labels: np.ndarray) -> tuple[str, ...]:
    """The numbers "0"…"k−1" as names, if each occurs."""
    occurring = np.unique(labels)
    if occurring[0] >= 0 and not np.array_equal(occurring, np.arange(len(occurring))):
        missing = int(np.argmax(occurring != np.arange(len(occurring))))
        raise InputError(
            f"targets: labels must be 0…k-1, but {missing} never occurs and {occurring[-1]} does; "
            "renumber them, give class_names, or pass task='regression'"
        )
    return tuple(map(str, range(len(occurring))))


def _check_task(task: str, class_names: Sequence[str]) -> None:
    if task == "regression" and class_names:
        raise InputError(f"class_names: must be empty for regression, got {tuple(class_names)}")
    if task == "binary" and len(class_names) > 2:
        raise InputError(f"task: 'binary' has two classes, got {len(class_names)}; pass 'multiclass'")


def _check_part(part: str, inputs: ArrayLike, targets: ArrayLike, class_names: Sequence[str]) -> Dataset:
    """Inputs and targets as one Dataset; ``part`` is put before the argument's name in errors."""
    examples: Any = _as_numbers(f"{part}inputs", inputs)
    values: Any = _as_numbers(f"{part}targets", targets)
    if examples.ndim < 2:
        raise InputError(f"{part}inputs: need an axis of values per example, got shape {examples.shape}")
    if len(examples) != len(values):
        raise InputError(f"{part}targets: must be as many as inputs, got {len(values)} for {len(examples)}")
    if examples.dtype != np.uint8:
        examples = _as_floats(f"{part}inputs", examples)
    if not class_names:
        values = _as_floats(f"{part}targets", values)
        return Dataset(examples, values)
    labels: Any = _as_labels(f"{part}targets", values)
    outside = (labels < 0) | (labels >= len(class_names))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"{part}targets: labels must be 0…{len(class_names) - 1}, got {labels[row]} in row {row}"
        )
    return Dataset(examples, labels.astype(np.int32))


def _check_same_shapes(train: Dataset, test: Dataset) -> None:
    pairs = (("inputs", train.inputs, test.inputs), ("targets", train.targets, test.targets))
    for argument, ours, theirs in pairs:
        if ours.shape[1:] != theirs.shape[1:] or ours.dtype != theirs.dtype:
            raise InputError(
                f"test {argument}: must be like the training {argument}, {ours.dtype}{ours.shape[1:]} each, "
                f"got {theirs.dtype}{theirs.shape[1:]}"
            )


def _cut(
    data: Dataset, argument: str, fraction: float, *, stratify: bool, split_seed: int
) -> tuple[Dataset, Dataset]:
    """What remains, and ``fraction`` of the examples; every class that occurs must remain."""
    checks.fraction(argument, checks.positive(argument, fraction))
    checks.whole_number("split_seed", split_seed, at_least=0)
    labels = data.targets if stratify else None
    try:
        kept, cut = train_test_split(
            np.arange(len(data.inputs)), test_size=fraction, random_state=split_seed, stratify=labels
        )
    except ValueError as error:
        raise InputError(
            f"{argument}: cannot cut {fraction} off {len(data.inputs)} examples: {_first_line(error)}"
        ) from error
    rest, part = (Dataset(data.inputs[rows], data.targets[rows]) for rows in (kept, cut))
    if stratify and (lost := set(np.unique(data.targets)) - set(np.unique(rest.targets))):
        raise InputError(
            f"{argument}: cutting {fraction} off leaves no example of class {min(lost)}; lower it"
        )
    return rest, part


def _read_scikit_learn(name: str) -> _Raw:
    bunch = _SCIKIT_LEARN[name]()
    # Only digits has images: whole numbers 0…16 stored as floats.
    inputs = bunch.images.astype(np.uint8) if "images" in bunch else bunch.data
    class_names = tuple(map(str, bunch.target_names)) if bunch.target.dtype.kind in "iu" else ()
    return _Raw(inputs, bunch.target, class_names, None)


def _read_or_prepare(name: str, manual_dir: str | Path | None) -> _Raw:
    """A tensorflow-datasets set from our cache, prepared first if it is not there or damaged.

    The entry appears by one rename, so a reader never sees half of it, and of two processes that prepare the
    same set the second to finish keeps the first one's entry.
    """
    root = _cache_dir()
    entry = root / f"{urllib.parse.quote(name, safe='')}-v1"
    raw = _read_entry(entry)
    if raw is not None:
        return raw
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=root, prefix=".preparing-", ignore_cleanup_errors=True
        ) as scratch:
            raw = _prepare(name, _manual_dir(manual_dir), Path(scratch, "tfds"))
            _write_entry(Path(scratch, "entry"), raw)
            _publish(Path(scratch, "entry"), entry)
    except OSError as error:
        raise InputError(
            f"dataset: cannot keep {name!r} in {root}: {_first_line(error)}; "
            "set JAXMLP_CACHE_DIR to another folder"
        ) from error
    return raw


def _cache_dir() -> Path:
    if chosen := os.environ.get("JAXMLP_CACHE_DIR"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxmlp"


def _manual_dir(given: str | Path | None) -> Path | None:
    chosen = given or os.environ.get("JAXMLP_MANUAL_DIR")
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise InputError(f"manual_dir: must be an existing folder, got {str(chosen)!r}")
    return folder


def _write_entry(entry: Path, raw: _Raw) -> None:
    arrays = {"inputs": raw.inputs, "targets": raw.targets}
    if raw.test is not None:
        arrays |= {"test_inputs": raw.test[0], "test_targets": raw.test[1]}
    entry.mkdir()
    for stem, array in arrays.items():
        np.save(entry / f"{stem}.npy", array)
    sums = {stem: zlib.crc32((entry / f"{stem}.npy").read_bytes()) for stem in arrays}
    (entry / "meta.json").write_text(json.dumps({"class_names": raw.class_names, "crc32": sums}))


def _read_entry(entry: Path) -> _Raw | None:
    """What ``_write_entry`` wrote; None if it is not there, or not whole."""
    if not entry.exists():
        return None
    try:
        meta = json.loads((entry / "meta.json").read_text())
        arrays = {stem: _read_array(entry / f"{stem}.npy", crc) for stem, crc in meta["crc32"].items()}
        test = (arrays["test_inputs"], arrays["test_targets"]) if "test_inputs" in arrays else None
        return _Raw(arrays["inputs"], arrays["targets"], tuple(meta["class_names"]), test)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        print(f"the cached copy in {entry} is damaged and will be replaced", file=sys.stderr)
        return None


def _read_array(path: Path, crc: int) -> np.ndarray:
    content = path.read_bytes()
    if zlib.crc32(content) != crc:
        raise ValueError(f"{path} has changed")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _publish(complete: Path, entry: Path) -> None:
    try:
        complete.replace(entry)
    except OSError:
        if _read_entry(entry) is None:
            entry.replace(complete.with_name("damaged"))
            complete.replace(entry)


def _prepare(name: str, manual_dir: Path | None, folder: Path) -> _Raw:
    """Let tensorflow-datasets download and check the files of a set, and decode it, within ``folder``."""
    with _quiet():
        tfds = _import_tfds(name)
        _check_known(name, tfds.list_builders(with_community_datasets=False))
        builder = _image_builder(name, tfds, folder)
    print(f"preparing {name} (once)...", file=sys.stderr)
    files = {info.filename or url: url for url, info in (builder.url_infos or {}).items()}
    missing = [file for file in files if manual_dir is None or not (manual_dir / file).exists()]
    online = not missing or _reachable(files[missing[0]])
    # With some files there, go on: a set of several configurations registers more than this one needs.
    if not online and len(missing) == len(files):
        raise _no_connection(name, manual_dir, missing)
    try:
        with _quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return _generate_and_read(tfds, builder, manual_dir, num_retries=5 if online else 0)
    except Exception as error:  # a builder may fail in any way, and the user can act on none by a traceback
        raise _preparation_error(name, manual_dir, files, missing, error) from error


def _import_tfds(name: str) -> Any:
    try:
        # Without TensorFlow, tensorflow-datasets can be imported and lacks its functions.
        if importlib.util.find_spec("tensorflow"):
            return importlib.import_module("tensorflow_datasets")
    except (ImportError, ValueError):
        pass
    raise InputError(
        f"dataset: {name!r} is none of {', '.join(_SCIKIT_LEARN)}; "
        "others need tensorflow-datasets and TensorFlow: pip install 'jaxmlp[tfds]'"
    )


def _check_known(name: str, builders: Sequence[str]) -> None:
    base = name.split("/")[0].split(":")[0]
    if base not in builders:
        nearest = difflib.get_close_matches(base.lower(), [*_SCIKIT_LEARN, *builders], n=1)
        hint = (
            f"did you mean {nearest[0]!r}?" if nearest else "see https://www.tensorflow.org/datasets/catalog"
        )
        raise InputError(f"dataset: unknown name {name!r}; {hint}")


def _image_builder(name: str, tfds: Any, folder: Path) -> Any:
    """The builder of a set that has a label, and an image of one size, per example."""
    try:
        builder = tfds.builder(name, data_dir=folder)
        features = dict(builder.info.features.items())
    except Exception as error:  # an unknown configuration, version, or a missing package of the set's own
        # Before the reason, the message repeats the builder's arguments.
        reason = _first_line(error).rpartition('": ')[2]
        raise InputError(f"dataset: {name!r} cannot be used: {reason}") from error
    image, label = features.get("image"), features.get("label")
    if not isinstance(image, tfds.features.Image) or not isinstance(label, tfds.features.ClassLabel):
        raise InputError(
            f"dataset: {name!r} is not image classification; it has the features {', '.join(features)}, "
            "not an image and a class label"
        )
    if None in image.shape:
        raise InputError(f"dataset: images must have one size, those of {name!r} have shape {image.shape}")
    return builder


def _hide_gpus() -> None:
    """Keep TensorFlow from claiming the memory of devices that JAX is to use."""
    tensorflow: Any = importlib.import_module("tensorflow")
    with contextlib.suppress(RuntimeError):  # TensorFlow is in use already, by its user's choice
        tensorflow.config.set_visible_devices([], "GPU")


def _generate_and_read(tfds: Any, builder: Any, manual_dir: Path | None, num_retries: int) -> _Raw:
    # A module constant is the only way in; with its ten, finding no network takes 100 seconds.
    downloader: Any = importlib.import_module("tensorflow_datasets.core.download.downloader")
    downloader.MAX_RETRIES = num_retries
    _hide_gpus()
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    builder.download_and_prepare(
        download_config=config, download_dir=Path(builder.data_dir_root, "downloads")
    )
    read = functools.partial(_read_part, tfds, builder)
    parts = builder.info.splits
    if "train" not in parts:
        raise InputError(f"it has no train part, only {', '.join(parts)}")
    names = tuple(builder.info.features["label"].names)
    return _Raw(*read("train"), names, read("test") if "test" in parts else None)


def _read_part(tfds: Any, builder: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    wanted = tfds.decode.PartialDecoding({"image": True, "label": True})
    data = builder.as_dataset(split=part, batch_size=-1, decoders=wanted)
    images, labels = np.asarray(data["image"]), np.asarray(data["label"], np.int32)
    return (images[..., 0] if images.shape[-1] == 1 else images), labels


def _reachable(url: str) -> bool:
    """Whether anything answers within seconds, by the same client that would download."""
    requests: Any = importlib.import_module("requests")
    try:
        requests.head(url, timeout=10)
    except requests.RequestException:
        return False
    return True


def _no_connection(name: str, manual_dir: Path | None, missing: Sequence[str]) -> InputError:
    return InputError(
        f"dataset: no connection to download {name!r}; put {', '.join(missing)} into a folder and pass it as "
        f"--manual-dir or JAXMLP_MANUAL_DIR, now {str(manual_dir) if manual_dir else 'not given'}"
    )


def _preparation_error(
    name: str, manual_dir: Path | None, files: Mapping[str, str], missing: Sequence[str], error: Exception
) -> InputError:
    kind = type(error).__name__
    if kind == "NonMatchingChecksumError":
        file = next((file for file in files if file in str(error)), "a file")
        source = files.get(file) if file in missing else manual_dir
        return InputError(
            f"dataset: {file} from {source} is not the one registered for {name!r}; it may be corrupt, "
            "or belong to another data set that uses the same file names"
        )
    if kind in ("ConnectionError", "ConnectTimeout", "SSLError"):
        return _no_connection(name, manual_dir, missing)
    return InputError(f"dataset: {name!r} cannot be prepared: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what TensorFlow and tensorflow-datasets log."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging_before, error_stream = logging.root.manager.disable, os.dup(2)
    logging.disable(logging.CRITICAL)
    try:
        # Native code logs to the descriptor itself, some of it before it has read its own log level.
        with Path(os.devnull).open("w") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(error_stream, 2)
        os.close(error_stream)
        logging.disable(logging_before)
