"""How every experiment meets the command line: one dataclass becomes the flags, an error one line."""

import contextlib
import dataclasses
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax
import tyro

from experiments.receipt import runnable_name
from jaxmlp.cli.command import one_line_errors
from jaxmlp.runtime import compilation, processes
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import single_run
from jaxmlp.runtime.streams import prepare_streams

Config = TypeVar("Config")


def main(
    configuration_class: type[Config],
    run: Callable[[Config], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Reads ``arguments``, by default the command line's, into ``configuration_class`` and calls ``run``.

    The help shows the docstring of the module that defines the class, and the docstring under each field.
    Exits with status 2 when the user's input breaks a rule, 1 when a loss is no longer finite or the
    system refuses, as a full disk does, 130 after Ctrl-C and 143 after SIGTERM, each with one line at most on
    stderr; every other error is a fault and keeps its trace.
    """
    prepare_streams()
    module = sys.modules[configuration_class.__module__]
    configuration = tyro.cli(
        configuration_class,
        prog=f"python -m {runnable_name(configuration_class.__module__)}",
        description=inspect.getdoc(module),
        args=arguments,
        # One flag, --smoke, rather than the pair --smoke and --no-smoke.
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    compilation.enable_cache()
    try:
        with one_line_errors(), joined(configuration) as configuration, single_run():
            check_backend()
            run(configuration)
            sys.stdout.flush()
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        _leave(error)


@contextmanager
def joined(configuration: Config) -> Iterator[Config]:
    """The configuration, once this process has joined the others that its flags tell of, if any.

    The first process alone says, shows and keeps anything: the others write into a folder that is gone later.
    """
    given: Any = configuration
    told = [getattr(given, name, None) for name in ("coordinator", "num_processes", "process_id")]
    if all(value is None for value in told):
        yield configuration
        return
    processes.join(*told)
    if jax.process_index() == 0:
        yield configuration
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield dataclasses.replace(given, name=None, out=Path(folder), publish=False, progress=False)


def _leave(error: Exception) -> NoReturn:
    """End at once: the orderly way would wait for a process that may be gone."""
    reason = str(error).strip().splitlines()[0]
    number = jax.process_count()
    print(
        f"error: one of the run's {number} processes failed or is gone: {reason}", file=sys.stderr, flush=True
    )
    os._exit(1)
