"""What happens to a run when disk, folder, signals and other processes are not as they should be."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.durability.processes import epochs_of, outcome, started, wait_for
from jaxmlp.models import model

if TYPE_CHECKING:
    from experiments.durability.__main__ import Config

Case = Callable[["Config", Path], tuple[bool, int, str] | None]
"""Whether the run did what is right, its status and last line; None where it could not be tried here."""


def storage_cases(config: "Config", folder: Path) -> dict[str, dict[str, Any]]:
    """Each of them that can be tried here, as many at a time as there are cores."""
    short = replace(config, num_epochs=40)
    cases: dict[str, Case] = {
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
    folders = [folder / f"case-{number}" for number in range(len(cases))]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        tries = list(pool.map(lambda case, out: case(short, out), cases.values(), folders))
    found = {}
    for name, tried in zip(cases, tries, strict=True):
        if tried is None:
            print(f"not tried: {name}, for want of the right to mount a small disk")
        else:
            held, status, line = tried
            found[name] = {"held": held, "outcome": f"status {status}: {line}"}
    return found


@contextmanager
def small_disk(out: Path) -> Iterator[bool]:
    """A disk of 3 MB at ``out``; False where this user may not make one."""
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(out)]
    made = bool(shutil.which("mount")) and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(out)])


def full_disk(config: "Config", out: Path) -> tuple[bool, int, str] | None:
    """What was on the disk stays, and whoever cannot write says so in a line."""
    with small_disk(out) as made:
        if not made:
            return None
        (out / "good").write_bytes(b"good" * 1000)
        status, line = outcome(started(config, out / "run"))
        whole = (out / "good").read_bytes() == b"good" * 1000
        return whole and (status == 0 or line.startswith("error: ")), status, line


def small_files(config: "Config", out: Path) -> tuple[bool, int, str]:
    """As on a full disk, where no file may grow beyond 100 kB."""
    process = started(config, out)
    # Compiled programs would not fit either, and are no matter here.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    status, line = outcome(process)
    nothing_half = not any(path.suffix == ".tmp" for path in out.rglob("*"))
    return status > 0 and nothing_half and line.startswith("error: "), status, line


def read_only(config: "Config", out: Path) -> tuple[bool, int, str] | None:
    """Refused before anything is trained."""
    with small_disk(out) as made:
        if not made:
            return None
        subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
        status, line = outcome(started(config, out))
        return status == 2 and line.startswith("error: out: cannot write"), status, line


def vanishing(config: "Config", out: Path) -> tuple[bool, int, str]:
    """The result is there nevertheless."""
    process = started(config, out)
    wait_for(lambda: epochs_of(out) > 1, process)
    shutil.rmtree(out, ignore_errors=True)
    status, line = outcome(process)
    whole = (out / "model.safetensors").exists() and model.load(out / "model.safetensors") is not None
    return (status == 0 and whole) or line.startswith("error: "), status, line


def signalled(config: "Config", out: Path, number: int, times: int = 1) -> tuple[bool, int, str]:
    """The status of the signal, and a checkpoint to go on from."""
    process = started(replace(config, num_epochs=100_000), out)
    wait_for(lambda: epochs_of(out) > 1, process)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.001)
    status, line = outcome(process)
    return epochs_of(out) > 1 and status in (128 + number, -number), status, line


def crowded(config: "Config", out: Path) -> tuple[bool, int, str]:
    """The second one says so, and the first one does not notice."""
    # Long enough for another process to begin, however busy the machine is.
    first = started(replace(config, num_epochs=10 * config.num_epochs), out)
    wait_for(lambda: epochs_of(out) > 1, first)
    status, line = outcome(started(config, out))
    first_status, _ = outcome(first)
    return status == 2 and "another process is at work" in line and first_status == 0, status, line


def odd_path(config: "Config", out: Path) -> tuple[bool, int, str]:
    """Written, and gone on with."""
    odd = out / "a folder\nof two lines" / "größe 数字"
    process = started(config, odd)
    wait_for(lambda: epochs_of(odd) > 1, process)
    process.kill()
    process.communicate()
    status, line = outcome(started(config, odd, "--resume"))
    return status == 0 and epochs_of(odd) == config.num_epochs, status, line
