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
from typing import Any, TypeVar

import jax
import tyro

from experiments.harness.answers import Answer, Record
from experiments.harness.flags import Config
from experiments.harness.receipt import Draw, Findings, begin, finish, runnable_name
from jaxmlp.cli.command import check_once, one_line_errors
from jaxmlp.runtime import compilation, processes
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import single_run
from jaxmlp.runtime.streams import prepare_streams

AnyConfig = TypeVar("AnyConfig", bound=Config)


def main(
    config_class: type[AnyConfig],
    run: Callable[[AnyConfig], Findings | Iterator[Findings]],
    draw: Draw,
    answer: Callable[[Record], Answer],
    arguments: Sequence[str] | None = None,
) -> None:
    """Read ``arguments``, by default the command line's, and run; keep what was found, draw it and say it.

    ``run`` is told the folder, as ``config.folder``, and returns Findings, or yields those so far after each
    part. What ends it is one line, as ``one_line_errors`` has it, and 143 after SIGTERM.
    """
    prepare_streams()
    config = read_flags(config_class, arguments)
    compilation.enable_cache()
    try:
        with one_line_errors(), joined(config) as config, single_run():
            check_once(sys.argv[1:] if arguments is None else arguments, config_class)
            check_backend()
            _run(config, run, draw, answer)
            sys.stdout.flush()
    except jax.errors.JaxRuntimeError as error:
        if (number := jax.process_count()) == 1:
            raise
        reason = str(error).strip().splitlines()[0]
        told = f"error: one of the run's {number} processes failed or is gone: {reason}"
        print(told, file=sys.stderr, flush=True)
        # At once: the orderly way would wait for a process that may be gone.
        os._exit(1)


def read_flags(config_class: type[AnyConfig], arguments: Sequence[str] | None = None) -> AnyConfig:
    """The flags; the help shows the docstring of the module that defines the class, and of each field."""
    given, sizes = list(sys.argv[1:] if arguments is None else arguments), dict[str, Any]()
    for flag in ("quick", "smoke"):
        sizes |= getattr(config_class, flag.upper()) if f"--{flag}" in given else {}
    return tyro.cli(
        config_class,
        prog=f"python -m {runnable_name(config_class.__module__)}",
        description=inspect.getdoc(sys.modules[config_class.__module__]),
        args=given,
        default=config_class(**sizes),
        # One flag, --smoke, rather than the pair --smoke and --no-smoke.
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _run(config: Any, run: Callable, draw: Draw, answer: Callable[[Record], Answer]) -> None:
    receipt = begin(config)
    if config.smoke:
        print("trial: too little of everything to show more than that it works", flush=True)
    record: Record = {"headline": {"answer": "nothing was measured"}}
    try:
        found = run(dataclasses.replace(config, out=receipt.folder))
        for findings in [found] if isinstance(found, Findings) else found:
            record = finish(receipt, config, findings, draw, answer)
    except BaseException:
        if receipt.is_new:
            # Only where nothing was left in it.
            with contextlib.suppress(OSError):
                receipt.folder.rmdir()
        raise
    print(f"record and pictures in {receipt.folder}\n{record['headline']['answer']}")


@contextmanager
def joined(configuration: AnyConfig) -> Iterator[AnyConfig]:
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
