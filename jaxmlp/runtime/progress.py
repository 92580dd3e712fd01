"""How far a loop has come, on the screen."""

from typing import Any


def progress_bar(total: int, done: int, *, show: bool) -> Any:
    """A context manager: a bar over ``total`` epochs, ``done`` of them behind; silent unless ``show``."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="epoch", disable=not show, dynamic_ncols=True)
