"""Work in processes of their own, whose time and memory are theirs alone, told what to do line by line."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from experiments.harness.provenance import CHECKOUT

Ask = Callable[[str], Any]
"""Command -> what it returned."""


class ProcessError(RuntimeError):
    """The work could not be done: something is not installed, or the process ended before its time."""


@contextmanager
def started(module: str, *arguments: Any, environment: Mapping[str, str] | None = None) -> Iterator[Ask]:
    """``python -m module arguments``, which calls ``serve``, as a function that tells it what to do. That
    function raises ProcessError with the last words of a process that has ended.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as errors:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
        surroundings: Any = {"cwd": CHECKOUT, "env": os.environ | dict(environment or {})}
        with subprocess.Popen(command, **pipes, **surroundings) as child:
            stdin, stdout = child.stdin, child.stdout
            assert stdin is not None and stdout is not None

            def ask(command: str) -> Any:
                # Where it has ended, its last words say why.
                with suppress(BrokenPipeError):
                    print(command, file=stdin, flush=True)
                line = stdout.readline()
                if not line:
                    child.wait()
                    errors.seek(0)
                    raise ProcessError((errors.read().strip() or "it ended without a word").splitlines()[-1])
                return json.loads(line)

            try:
                yield ask
            except BaseException:
                child.kill()
                raise
            finally:
                # What one that has ended was not told cannot be sent any more.
                with suppress(BrokenPipeError):
                    stdin.close()


def serve(prepare: Callable[[], Mapping[str, Callable[[], Any]]]) -> None:
    """Answer each command on standard input, of those that ``prepare`` hands over, in a line of JSON; what is
    printed beside goes to standard error.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        commands = prepare()
        for line in sys.stdin:
            print(json.dumps(commands[line.strip()]()), file=answers)
