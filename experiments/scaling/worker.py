"""One of the processes that are one run, ``experiments.scaling.worker CORE JOINED WAYS`` in JSON: it trains
what experiments.mnist does with the flags of each way, when it is told to, and tells the seconds.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

import jax

from experiments.harness.apart import serve
from experiments.harness.command import read_flags
from experiments.mnist import Config, run
from jaxmlp.runtime import compilation, processes


def prepare() -> dict[str, Callable[[], float | None]]:
    core, joined, ways = (json.loads(argument) for argument in sys.argv[1:])
    # Before JAX begins as many threads as there are cores.
    if core is not None:
        os.sched_setaffinity(0, {core})
    compilation.enable_cache()
    if joined is not None:
        processes.join(*joined)
    return {way: partial(train, flags) for way, flags in ways.items()} | {"end": jax.distributed.shutdown}


def train(flags: Sequence[str]) -> float:
    """Seconds of training."""
    return run(read_flags(Config, flags)).seconds["train"]


if __name__ == "__main__":
    serve(prepare)
