"""Experiments as their commands run them, without a process of their own."""

import pytest

from experiments.command_line import main


def run(module, *arguments):
    main(module.Config, module.run, [*map(str, arguments), "--no-progress"])


def refused(capsys, module, *arguments):
    """The one line of an error and the exit status."""
    with pytest.raises(SystemExit) as stopped:
        run(module, *arguments)
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line, stopped.value.code
