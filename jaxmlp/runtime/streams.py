"""Standard streams that end no command: of a narrow encoding, closed, or read by nobody any more."""

import io
import os
import shutil
import sys
from contextlib import suppress
from typing import Any

MIN_COLUMNS = 40
"""Of a terminal; help for a narrower one would be thousands of lines, and below ten tyro never ends."""


class _Output(io.FileIO):
    """A descriptor that takes everything, also what nobody reads any more."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def prepare_streams() -> None:
    """Make stdout and stderr of this process fit for any text and any reader.

    What their encoding lacks is written as an escape like ``\\xb1``. Once the reader of a pipe is gone, as
    after "| head -1" or where Ctrl-C ends tee, what is said goes nowhere, and the run goes on to its
    results. What a caller has put in their place keeps its way.
    """
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            # Of a stream that is closed: else the next file of the run would get its descriptor.
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if stream is getattr(sys, f"__{name}__"):
                setattr(sys, name, _unbreakable(stream))
    if shutil.get_terminal_size().columns < MIN_COLUMNS:
        os.environ["COLUMNS"] = str(MIN_COLUMNS)


def _unbreakable(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """A stream to the same descriptor; as it is where that is none, as a Windows console."""
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, io.FileIO):
        return stream
    with suppress(OSError):
        stream.flush()
    output: Any = _Output(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        output if stream.buffer is raw else io.BufferedWriter(output),
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
