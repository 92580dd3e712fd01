"""Experiments and the library's command as a command line runs them, without a process of their own."""

import pytest

from experiments.harness.command import main
from jaxmlp.cli import command as library


def run(module, *arguments):
    arguments = [*map(str, arguments), "--no-progress"]
    main(module.Config, module.run, module.draw, module.answer, arguments)


def refused(capsys, module, *arguments):
    """The one line of an error and the exit status."""
    with pytest.raises(SystemExit) as stopped:
        run(module, *arguments)
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line, stopped.value.code


def command(capsys, *arguments):
    """(exit status, standard output, standard error) of the library's command."""
    status = 0
    try:
        library.main([*map(str, arguments)])
    except SystemExit as finished:
        status = finished.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err
