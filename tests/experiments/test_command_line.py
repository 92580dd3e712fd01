"""How experiments meet the command line: flags, help, and an error in one line with its status."""

from dataclasses import dataclass

import pytest

from experiments import command_line
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Settings:
    hidden_sizes: tuple[int, ...] = (512, 512)
    """Widths of the hidden layers."""
    smoke: bool = False
    """A run of seconds."""


def test_flags_become_fields():
    received: list[Settings] = []
    command_line.main(Settings, received.append, ["--hidden-sizes", "3", "4", "--smoke"])
    command_line.main(Settings, received.append, [])
    assert received == [Settings((3, 4), True), Settings()]


def test_the_help_shows_the_module_the_fields_and_their_defaults(capsys):
    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, print, ["--help"])
    out = capsys.readouterr().out
    assert finished.value.code == 0
    for part in (
        "How experiments meet the command line",
        "--hidden-sizes",
        "Widths of the hidden layers. (default: 512 512)",
    ):
        assert part in out
    assert "--no-smoke" not in out


def test_an_unknown_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, print, ["--hiden-sizes", "3"])
    assert finished.value.code == 2
    assert "--hidden-sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (InputError("epochs: must be\n above 0"), 2, "error: epochs: must be above 0\n"),
        (FloatingPointError("the loss is nan"), 1, "error: the loss is nan\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_known_error_is_one_line_and_a_status(error, status, printed, capsys):
    def fail(_: Settings) -> None:
        raise error

    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, fail, [])
    assert (finished.value.code, capsys.readouterr().err) == (status, printed)


def test_a_fault_keeps_its_trace():
    def fail(_: Settings) -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        command_line.main(Settings, fail, [])
