"""Two checkouts side by side: the same commands in both have to end in the same bits.

    python tests/support/golden.py ANOTHER_CHECKOUT

runs small trainings of every kind (one network, seeds, dropout, a resumed run, sweeps of classes and of real
values with halving) in double precision, in this checkout and in the other, and compares every tensor of the
models and every number of the records. For changes of structure, which must change no bit. Nothing is kept:
bits differ between machines.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file

DIGITS = (
    *("digits", "--hidden-sizes", "20", "10", "--num-epochs", "6", "--dropout", "0.2"),
    *("--optimizer", "adamw"),
)
SWEEP = (
    *("sweep", "--num-members", "6", "--max-programs", "2", "--num-epochs", "9", "--hidden-sizes", "8:16"),
    *("--depth", "1:2", "--max-ensemble", "8"),
)
RUNS = {
    "one": [DIGITS],
    "seeds": [(*DIGITS, "--num-seeds", "3", "--schedule", "cosine", "--max-norm", "2", "--clip-norm", "1")],
    "resumed": [(*DIGITS, "--checkpoint-every", "3"), (*DIGITS, "--checkpoint-every", "3", "--resume")],
    "classes": [(*SWEEP, "--dataset", "digits", "--label-smoothing", "0:0.1")],
    "values": [(*SWEEP, "--dataset", "diabetes", "--schedule", "cosine", "--optimizer", "muon,adamw")],
    "bfloat16": [(*SWEEP, "--dataset", "wine", "--precision", "bfloat16", "--data-bytes", "20000")],
}
TIMES = ("seconds", "compile_seconds", "train_seconds")


def run(checkout: Path, name: str, folder: Path) -> dict:
    """What the commands called ``name`` leave in ``folder``, by where it is."""
    environment = os.environ | {"JAX_ENABLE_X64": "1", "PYTHONPATH": str(checkout)}
    for command in RUNS[name]:
        line = [
            sys.executable,
            "-m",
            f"experiments.{command[0]}",
            *command[1:],
            "--no-progress",
            "--out",
            str(folder),
        ]
        # The second command of a resumed run goes on in its midst.
        for last in sorted(folder.glob("checkpoints/*/epoch-*"))[1:]:
            last.unlink()
        subprocess.run(line, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
    record = json.loads((folder / "record.json").read_text())
    found = dict(numbers({part: record[part] for part in ("metrics", "curves", "tables")}))
    for path in sorted(folder.glob("*.safetensors")):
        found |= {
            f"{path.name} {key}": (x.dtype.str, x.shape, x.tobytes()) for key, x in load_file(path).items()
        }
    return found


def numbers(tree, place=""):
    """Every leaf of the record that is no time, with its place."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            if key not in TIMES and not str(key).endswith("_time"):
                yield from numbers(value, f"{place}/{key}")
    else:
        yield place, tree


def main(other: str) -> int:
    differing = 0
    for name in RUNS:
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
            here, there = run(Path.cwd(), name, Path(ours)), run(Path(other), name, Path(theirs))
        keys = [key for key in {**here, **there} if here.get(key) != there.get(key)]
        print(f"{name}: {len(here)} tensors and numbers, {len(keys)} differ {keys[:3] or ''}", flush=True)
        differing += len(keys)
    return differing > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
