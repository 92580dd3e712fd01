"""Charts of numbers, and pictures of a classifier, of images, of weights, of a sweep.

They are written to files, so that no backend is needed, and it matters nothing which one matplotlib has.
"""

import contextlib
import logging
import os
import sys


def _import_matplotlib() -> None:
    """matplotlib, whatever MPLBACKEND says: it refuses to be imported where that names what is not installed,
    as in a process that a notebook has started. Of a home that is missing or cannot be written to it says
    much and means little: it takes another folder.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    logger = logging.getLogger("matplotlib")
    logger.addFilter(_is_not_of_folders)
    try:
        import matplotlib.font_manager
    finally:
        logger.removeFilter(_is_not_of_folders)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        # As matplotlib itself would, for callers that show pictures of their own.
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


def _is_not_of_folders(record: logging.LogRecord) -> bool:
    return not any(word in str(record.msg) for word in ("mkdir", "writable directory"))


if "matplotlib" not in sys.modules:
    _import_matplotlib()
