"""The code behind a run, as git knows it."""

import subprocess
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]


class Provenance(NamedTuple):
    """The code behind a run: the commit's full hash, and whether tracked files differed from it.

    Both are None outside a git checkout.
    """

    commit: str | None
    dirty: bool | None


def commit(checkout: Path = CHECKOUT) -> Provenance:
    """The Provenance of the code in ``checkout``; never fails. To be called when a run starts.

    Changes under ``results/`` do not count: they are what runs leave behind, not what they depend on.
    """
    try:
        # A package installed below somebody else's repository must not borrow that one's commit.
        if Path(_git(checkout, "rev-parse", "--show-toplevel")).resolve() != Path(checkout).resolve():
            return Provenance(None, None)
        head = _git(checkout, "rev-parse", "--verify", "HEAD")
        changes = _git(
            checkout, "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results"
        )
    except (OSError, subprocess.SubprocessError):
        return Provenance(None, None)
    return Provenance(head, changes != "")


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
