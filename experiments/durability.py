"""Does a run that is killed, again and again, end in the same bits as one that never was?

    python -m experiments.durability

starts experiments.digits with a checkpoint after every epoch, kills it with SIGKILL at a random moment, while
it starts, trains or writes, and goes on with --resume, until the run is over; model file and learning curves
must be those of the run that was never killed, bit for bit. Then whatever else happens to runs and files: a
full disk, a folder that is read-only or vanishes, signals, a second process, odd paths, and checkpoints and
models with a bit flipped or an end missing at hundreds of places. Each must end in the right result or in one
clear line, and harm nothing that was good. runs/durability holds the record, case by case.
"""

import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks, records
from jaxmlp.models import model
from jaxmlp.plots import charts
from jaxmlp.train import checkpoints
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(receipt.Config):
    num_seeds: int = 1
    """Networks of each run that is killed."""
    num_kills: int = 200
    """Times that a process is killed, at least; every run that was begun is brought to its end."""
    num_epochs: int = 300
    """Of each of these runs."""
    num_flips: int = 500
    """Places at which a bit of each file is flipped, and at which it is cut off."""


class Life(NamedTuple):
    """What became of one process."""

    epochs: int
    """Trained when it was killed, by the last checkpoint."""
    writing: bool
    """Whether a half-written file was left."""


def run(config: Config) -> None:
    """Kill, compare, damage, record and draw."""
    if config.smoke:
        config = replace(config, num_kills=3, num_epochs=40, num_flips=20)
    for name in ("num_kills", "num_epochs", "num_flips"):
        checks.integer(name, getattr(config, name))
    begun = receipt.begin(config)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started(config, folder / "never").wait()
        lives, same = killed(config, folder)
        cases = storage_cases(config, folder) | damage_cases(config, folder / "never")
    held = [case["held"] for case in cases.values()]
    kills = sum(map(len, lives))
    receipt.finish(
        begun,
        config,
        dataset="digits",
        metrics={
            "kills": ([kills], "1"),
            "kills_while_writing": ([sum(life.writing for each in lives for life in each)], "1"),
            "runs_with_the_same_bits": (np.array(same, float), "fraction"),
            "cases_held": (np.array(held, float), "fraction"),
        },
        curves={"epochs_at_each_kill": [[float(life.epochs) for life in each] for each in lives]},
        tables={"cases": [{"case": name} | case for name, case in cases.items()]},
        notes={"varied": "run"},
    )
    draw(begun.folder, lives)
    print(f"{kills} kills in {len(same)} runs, of which {sum(same)} ended in the same bits")
    for name, case in cases.items():
        print(f"{'held' if case['held'] else 'BROKEN'}: {name}: {case['outcome']}")


def started(config: Config, out: Path, *flags: str, **options: Any) -> subprocess.Popen[str]:
    """A process that trains on digits into ``out``, with a checkpoint after every epoch."""
    command = [sys.executable, "-m", "experiments.digits", "--out", str(out), "--no-progress"]
    command += ["--num-epochs", str(config.num_epochs), "--hidden-sizes", "256", "256"]
    command += ["--num-seeds", str(config.num_seeds), "--seed", str(config.seed)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, "--checkpoint-every", "1", *flags], **(pipes | options))


def killed(config: Config, folder: Path) -> tuple[list[list[Life]], list[bool]]:
    """The lives of each run's processes, and whether each run ended as the one that was never killed."""
    draws = np.random.default_rng(config.seed)
    lives: list[list[Life]] = []
    same: list[bool] = []
    while sum(map(len, lives)) < config.num_kills:
        out = folder / f"run-{len(lives)}"
        lives.append([])
        while (life := one_life(config, out, draws)) is not None:
            lives[-1].append(life)
        same.append(results_of(out) == results_of(folder / "never"))
        print(f"{out.name}: {len(lives[-1])} kills, the same bits: {same[-1]}", flush=True)
        shutil.rmtree(out)
    return lives, same


def one_life(config: Config, out: Path, draws: np.random.Generator) -> Life | None:
    """A process that goes on with the run in ``out``, and how it was killed; None if the run was over first.

    One in ten is killed at any moment of its start, the others after their first new checkpoint: half of
    them soon, and half while they write one.
    """
    process, before = started(config, out, "--resume"), epochs_of(out)
    if draws.random() < 0.1:
        time.sleep(draws.uniform(0, 3))
    else:
        wait_for(lambda: epochs_of(out) != before, process)
        if draws.random() < 0.5:
            time.sleep(draws.uniform(0, 0.6))
        else:
            wait_for(lambda: is_writing(out), process)
    process.kill()
    _, errors = process.communicate()
    if process.returncode == 0:
        return None
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"a resumed run failed: {errors}")
    return Life(epochs_of(out), is_writing(out))


def is_writing(out: Path) -> bool:
    """Whether there is a half-written file."""
    return any(out.glob("checkpoints/*/.*.tmp"))


def epochs_of(out: Path) -> int:
    """Epochs of the newest checkpoint."""
    numbers = [int(path.stem.partition("-")[2]) for path in out.glob("checkpoints/*/epoch-*.safetensors")]
    return max(numbers, default=0)


def results_of(out: Path) -> tuple[bytes, Any]:
    """The model, byte by byte, and the learning curves."""
    return (out / "model.safetensors").read_bytes(), records.read_record(out / "record.json")["curves"]


def outcome(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
    """The status of a process, and its last line on stderr or else on stdout."""
    try:
        out, errors = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, ((errors or out).strip().splitlines() or [""])[-1]


def storage_cases(config: Config, folder: Path) -> dict[str, dict[str, Any]]:
    """What happens to a run when disk, folder, signals and other processes are not as they should be."""
    short = replace(config, num_epochs=min(config.num_epochs, 40))
    cases: dict[str, Callable[[Config, Path], tuple[bool, str]]] = {
        "a full disk": full_disk,
        "files that may not grow": small_files,
        "a folder that is read-only": read_only,
        "a folder that vanishes": vanishing,
        "SIGTERM": partial(signalled, number=signal.SIGTERM),
        "Ctrl-C": partial(signalled, number=signal.SIGINT),
        "Ctrl-C twice": partial(signalled, number=signal.SIGINT, times=2),
        "two processes in one folder": crowded,
        "a path of spaces, letters and a new line": odd_path,
    }
    found = {}
    for number, (name, case) in enumerate(cases.items()):
        held, text = case(short, folder / f"case-{number}")
        found[name] = {"held": held, "outcome": text}
    return found


@contextmanager
def small_disk(out: Path) -> Iterator[bool]:
    """A disk of 3 MB at ``out``; False where this user may not make one."""
    out.mkdir()
    size = "size=3m"
    made = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(out)], capture_output=True, check=False
        ).returncode
    )
    try:
        yield bool(made)
    finally:
        if made:
            subprocess.run(["umount", "-l", str(out)], check=False)


def full_disk(config: Config, out: Path) -> tuple[bool, str]:
    """What was on the disk stays, and whoever cannot write says so in a line."""
    with small_disk(out) as made:
        if not made:
            return True, "not tried: no right to mount a small disk here"
        (out / "good").write_bytes(b"good" * 1000)
        status, line = outcome(started(config, out / "run"))
        whole = (out / "good").read_bytes() == b"good" * 1000
        return whole and (status == 0 or line.startswith("error: ")), f"status {status}: {line}"


def small_files(config: Config, out: Path) -> tuple[bool, str]:
    """As on a full disk, where no file may grow beyond 100 kB."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    # Compiled programs would not fit either, and are no matter here.
    status, line = outcome(started(config, out, preexec_fn=limit))
    nothing_half = not any(path.suffix == ".tmp" for path in out.rglob("*"))
    return status > 0 and nothing_half and line.startswith("error: "), f"status {status}: {line}"


def read_only(config: Config, out: Path) -> tuple[bool, str]:
    """Refused before anything is trained."""
    with small_disk(out) as made:
        if made:
            subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
        else:
            out.chmod(0o500)
        status, line = outcome(started(config, out))
        return status == 2 and line.startswith("error: out: cannot write"), f"status {status}: {line}"


def vanishing(config: Config, out: Path) -> tuple[bool, str]:
    """The result is there nevertheless."""
    process = started(config, out)
    wait_for(lambda: epochs_of(out) > 1, process)
    shutil.rmtree(out, ignore_errors=True)
    status, line = outcome(process)
    whole = (out / "model.safetensors").exists() and model.load(out / "model.safetensors") is not None
    return (status == 0 and whole) or line.startswith("error: "), f"status {status}: {line}"


def signalled(config: Config, out: Path, number: int, times: int = 1) -> tuple[bool, str]:
    """The status of the signal, a checkpoint, and a run that goes on to the same bits."""
    process = started(replace(config, num_epochs=100_000), out)
    wait_for(lambda: epochs_of(out) > 1, process)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.001)
    status, line = outcome(process)
    kept, wanted = epochs_of(out) > 1, 128 + number
    return kept and status in (wanted, -number), f"status {status} after {epochs_of(out)} epochs: {line}"


def crowded(config: Config, out: Path) -> tuple[bool, str]:
    """The second one says so, and the first one does not notice."""
    # Long enough for another process to begin, however busy the machine is.
    first = started(replace(config, num_epochs=10 * config.num_epochs), out)
    wait_for(lambda: epochs_of(out) > 1, first)
    status, line = outcome(started(config, out))
    first_status, _ = outcome(first)
    held = status == 2 and "another process is at work" in line and first_status == 0
    return held, f"status {status}: {line}"


def odd_path(config: Config, out: Path) -> tuple[bool, str]:
    """Written, and gone on with."""
    odd = out / "a folder\nof two lines" / "größe 数字"
    process = started(config, odd)
    wait_for(lambda: epochs_of(odd) > 1, process)
    process.kill()
    process.communicate()
    status, line = outcome(started(config, odd, "--resume"))
    return status == 0 and epochs_of(odd) == config.num_epochs, f"status {status}: {line}"


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Return once it is so, or the process has ended; RuntimeError if that takes too long."""
    limit = time.perf_counter() + seconds
    while process.poll() is None and not ready():
        if time.perf_counter() > limit:
            process.kill()
            raise RuntimeError(f"nothing happened for {seconds:g} s: {process.communicate()[1]}")


def damage_cases(config: Config, out: Path) -> dict[str, dict[str, Any]]:
    """Bits flipped and ends cut off, of a checkpoint and of a model: each must be refused."""
    draws, found = np.random.default_rng(config.seed), {}
    readers: dict[str, tuple[Path, Callable[[Path], Any]]] = {
        "checkpoint": (
            max(out.glob("checkpoints/*/epoch-*")),
            lambda path: checkpoints.decode(path.read_bytes()),
        ),
        "model": (out / "model.safetensors", model.load),
    }
    for name, (path, read) in readers.items():
        content, changed = path.read_bytes(), out / "damaged" / path.name
        changed.parent.mkdir(exist_ok=True)
        # Half of them where the header is, which is small.
        places = [
            *draws.integers(0, 4096, config.num_flips // 2),
            *draws.integers(0, len(content), config.num_flips),
        ]
        damaged = {
            f"{len(places)} flipped bits of a {name}": [
                flipped(content, int(p), int(draws.integers(8))) for p in places
            ],
            f"{len(places)} ends cut off a {name}": [content[: int(p)] for p in places],
        }
        for case, versions in damaged.items():
            refused = sum(is_refused(changed, version, read) for version in versions)
            found[case] = {"held": refused == len(versions), "outcome": f"{refused} refused in one line"}
        changed.write_bytes(content)
        read(changed)
    return found


def flipped(content: bytes, place: int, bit: int) -> bytes:
    """The content with one bit the other way."""
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def is_refused(path: Path, content: bytes, read: Callable[[Path], Any]) -> bool:
    """Whether reading this raises an error of one line."""
    path.write_bytes(content)
    try:
        read(path)
    except InputError as error:
        return "\n" not in str(error)
    return False


def draw(folder: Path, lives: list[list[Life]]) -> None:
    """How far each run had come at each kill."""
    most = max(len(each) for each in lives)
    lines = {
        f"run {number + 1}": (list(range(1, len(each) + 1)), [[life.epochs for life in each]])
        for number, each in enumerate(lives)
    }
    charts.line_plot(
        {"": lines},
        folder / "kills.png",
        xlabel="times killed" if most else "",
        ylabel="epochs, by the last checkpoint",
        title="Runs that were killed and gone on with",
    )


if __name__ == "__main__":
    main(Config, run)
