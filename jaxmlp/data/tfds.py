"""Image sets of tensorflow-datasets, downloaded, decoded and written as plain arrays.

A set is prepared in a scratch folder and kept as ``.npy`` files. Images go to the files a thousand at a time,
so a set may be larger than the memory.
"""

import contextlib
import errno
import importlib
import importlib.util
import io
import json
import logging
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmlp import checks
from jaxmlp.types import InputError

_BATCH_SIZE = 1000
"""Images that are decoded together."""
_WELL_KNOWN = ("cifar10", "cifar100", "emnist", "fashion_mnist", "kmnist", "mnist", "svhn_cropped")
"""Sets to suggest where tensorflow-datasets is not there to list its own."""


def checksum(path: Path) -> int:
    return zlib.crc32(np.memmap(path, mode="r").data)


def prepare(name: str, manual_dir: Path | None, scratch: Path, others: Sequence[str]) -> None:
    """Let tensorflow-datasets download and check the files of a set, and decode it, all within ``scratch``;
    the arrays come to be in its folder ``entry``.
    """
    with _quiet():
        tfds = _import_tfds(name, others)
        _check_known(name, tfds.list_builders(with_community_datasets=False), others)
        builder = _image_builder(name, tfds, scratch / "tfds")
    print(f"preparing {name} (once)...", file=sys.stderr)
    files = {info.filename or url: url for url, info in (builder.url_infos or {}).items()}
    missing = [file for file in files if manual_dir is None or not (manual_dir / file).exists()]
    online = not missing or _reachable(files[missing[0]])
    # With some files there, go on: a set of several configurations registers more than this one needs.
    if not online and len(missing) == len(files):
        raise _no_connection(name, manual_dir, missing)
    try:
        with _quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _generate(tfds, builder, manual_dir, num_retries=5 if online else 0)
            _write_entry(scratch / "entry", tfds, builder)
    except Exception as error:  # a builder may fail in any way, and the user can act on none by a traceback
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise _preparation_error(name, manual_dir, files, missing, error) from error


def _import_tfds(name: str, others: Sequence[str]) -> Any:
    try:
        # Without TensorFlow, tensorflow-datasets can be imported and lacks its functions.
        if importlib.util.find_spec("tensorflow"):
            return importlib.import_module("tensorflow_datasets")
    except (ImportError, ValueError):
        pass
    parts = (
        f"dataset: {name!r} is none of {', '.join(others)}",
        "others need tensorflow-datasets and TensorFlow: pip install 'jaxmlp[tfds]'",
        _did_you_mean(name, [*others, *_WELL_KNOWN]),
    )
    raise InputError("; ".join(filter(None, parts)))


def _check_known(name: str, builders: Sequence[str], others: Sequence[str]) -> None:
    if _base(name) not in builders:
        hint = _did_you_mean(name, [*others, *builders]) or "see https://www.tensorflow.org/datasets/catalog"
        raise InputError(f"dataset: unknown name {name!r}; {hint}")


def _base(name: str) -> str:
    """The set's name without its configuration and version."""
    return name.split("/")[0].split(":")[0]


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint; empty where nothing is near, or the name is known."""
    nearest = checks.nearest_name(_base(name), known)
    return f"did you mean {nearest!r}?" if nearest not in (None, _base(name)) else ""


def _image_builder(name: str, tfds: Any, folder: Path) -> Any:
    """The builder of a set that has a label, and an image of one size, per example."""
    try:
        builder = tfds.builder(name, data_dir=folder)
        features = dict(builder.info.features.items())
    except Exception as error:  # an unknown configuration, version, or a missing package of the set's own
        # Before the reason, the message repeats the builder's arguments.
        reason = checks.first_line(error).rpartition('": ')[2]
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


def _generate(tfds: Any, builder: Any, manual_dir: Path | None, num_retries: int) -> None:
    # A module constant is the only way in; with its ten, finding no network takes 100 seconds.
    downloader: Any = importlib.import_module("tensorflow_datasets.core.download.downloader")
    downloader.MAX_RETRIES = num_retries
    # Else TensorFlow claims the memory of devices that JAX is to use.
    tensorflow: Any = importlib.import_module("tensorflow")
    with contextlib.suppress(RuntimeError):  # TensorFlow is in use already, by its user's choice
        tensorflow.config.set_visible_devices([], "GPU")
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    builder.download_and_prepare(
        download_config=config, download_dir=Path(builder.data_dir_root, "downloads")
    )


def _write_entry(entry: Path, tfds: Any, builder: Any) -> None:
    parts = builder.info.splits
    if "train" not in parts:
        raise InputError(f"it has no train part, only {', '.join(parts)}")
    entry.mkdir()
    for part, prefix in (("train", ""), ("test", "test_")):
        if part in parts:
            _write_part(tfds, builder, part, entry / f"{prefix}inputs.npy", entry / f"{prefix}targets.npy")
    sums = {path.stem: checksum(path) for path in entry.iterdir()}
    meta = {"class_names": builder.info.features["label"].names, "crc32": sums}
    (entry / "meta.json").write_text(json.dumps(meta))


def _write_part(tfds: Any, builder: Any, part: str, inputs: Path, targets: Path) -> None:
    """Images and labels as arrays in files, some at a time."""
    wanted = tfds.decode.PartialDecoding({"image": True, "label": True})
    data = builder.as_dataset(split=part, batch_size=_BATCH_SIZE, decoders=wanted)
    image, labels = builder.info.features["image"], []
    shape, dtype = image.shape, np.dtype(image.np_dtype)
    shape = (builder.info.splits[part].num_examples, *(shape[:-1] if shape[-1] == 1 else shape))
    with inputs.open("wb") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for batch in tfds.as_numpy(data):
            file.write(np.asarray(batch["image"], dtype).tobytes())
            labels.append(np.asarray(batch["label"], np.int32))
    np.save(targets, np.concatenate(labels))


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
    return InputError(f"dataset: {name!r} cannot be prepared: {checks.first_line(error)}")


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
