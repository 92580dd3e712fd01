"""What a run says on the screen: how far it has come, and what to beware of."""

import sys
from typing import Any


def progress_bar(total: int, done: int, *, show: bool) -> Any:
    """A context manager: a bar over ``total`` epochs, ``done`` of them behind; silent unless ``show``."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="epoch", disable=not show, dynamic_ncols=True)


def warn(message: str) -> None:
    """A line on stderr; the run goes on."""
    print(f"warning: {message}", file=sys.stderr, flush=True)
