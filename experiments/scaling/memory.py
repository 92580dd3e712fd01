"""Whether memory stays flat when the data that are streamed grow."""

import re
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
        process = get_context("spawn").Process(target=train_streamed, args=(folder, times * num_examples))
        process.start()
        found[f"memory_streaming_{times}"] = [watch_memory(process)], "MB"
    return found


def train_streamed(folder: Path, num_examples: int) -> None:
    """Train on random images of 28×28, mapped from a file, in parts of 10 MB."""
    path, draws = folder / f"{num_examples}.npy", np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (num_examples, 28, 28))
    for start in range(0, num_examples, 512):
        images[start : start + 512] = draws.integers(0, 256, images[start : start + 512].shape)
    images.flush()
    few: dict[str, Any] = dict.fromkeys(("validation_fraction", "test_fraction"), 100 / num_examples)
    splits = from_arrays(np.load(path, mmap_mode="r"), draws.integers(0, 10, num_examples), **few)
    options: dict[str, Any] = {"hidden_sizes": (60,), "batch_size": 128, "num_epochs": 1, "progress": False}
    fit_mlp(splits, data_bytes=20_000_000, **options)


def watch_memory(process: Any) -> float:
    """The MB that it holds at most, without what files are mapped; RuntimeError where it fails."""
    most = 0.0
    while process.is_alive():
        # One that is just ending holds nothing.
        held = re.search(r"RssAnon:\s*(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, float(held[1]) / 1e3 if held else 0.0)
        process.join(0.01)
    if process.exitcode:
        raise RuntimeError(f"a process that streams its data ended with status {process.exitcode}")
    return most
