"""Whether memory stays flat when the data that are streamed grow."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from experiments.harness.answers import Measures
from jaxmlp import fit_mlp, from_arrays


def memory(folder: Path, num_examples: int) -> Measures:
    """What a process takes beside the mapped file that it streams, and beside ten times as large a one."""
    found = {}
    for times in (1, 10):
        # A process of its own, whose memory is that of this run alone.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peak = pool.submit(streamed_memory, folder, times * num_examples).result()
        found[f"memory_streaming_{times}"] = [peak], "MB"
    return found


def streamed_memory(folder: Path, num_examples: int) -> float:
    """The most MB that this process held, without what is mapped from files, while it trained on random
    images of 28×28 in parts of 10 MB.
    """
    path, draws = folder / f"{num_examples}.npy", np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (num_examples, 28, 28))
    for start in range(0, num_examples, 512):
        images[start : start + 512] = draws.integers(0, 256, images[start : start + 512].shape)
    images.flush()
    splits = from_arrays(
        np.load(path, mmap_mode="r"),
        draws.integers(0, 10, num_examples),
        validation_fraction=100 / num_examples,
        test_fraction=100 / num_examples,
    )
    options: dict[str, Any] = {"hidden_sizes": (60,), "batch_size": 128, "num_epochs": 1, "progress": False}
    with watched_memory() as most:
        fit_mlp(splits, data_bytes=20_000_000, **options)
    return most()


@contextmanager
def watched_memory() -> Iterator[Callable[[], float]]:
    """A function that says the most MB so far that this process held for itself alone."""
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(float(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            most[0] = max(most[0], now / 1e3)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        watcher.join()
