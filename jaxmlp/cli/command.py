"""How the command meets its user: subcommands, plain help, an error in one line with its status."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NoReturn, get_type_hints

import tyro

from jaxmlp.cli import fit, page, predict, show
from jaxmlp.printing import one_line
from jaxmlp.runtime import compilation, environment, files
from jaxmlp.runtime.signals import single_run
from jaxmlp.runtime.streams import prepare_streams
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Env:
    """Versions, devices and whether this release of JAX computes right: what a report of a fault should hold.

    jaxmlp env
    """


def run_env(_: Env) -> None:
    for name, value in (environment.describe() | {"cache": _cache()}).items():
        print(f"{name.replace('_', ' '):16} {value}")


def _cache() -> str:
    try:
        return str(files.cache_folder())
    except InputError as error:
        return f"none ({error})"


_COMMANDS: dict[str, tuple[type, Callable[[Any], None]]] = {
    "fit": (fit.Fit, fit.run),
    "predict": (predict.Predict, predict.run),
    "show": (show.Show, show.run),
    "page": (page.Page, page.run),
    "env": (Env, run_env),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line's ``arguments``, or these, as a command that is run."""
    prepare_streams()
    chosen = tyro.extras.subcommand_cli_from_dict(
        {name: kind for name, (kind, _) in _COMMANDS.items()},
        prog="jaxmlp",
        description="Train small networks on your data, tuned and calibrated, and predict with them.",
        args=arguments,
        # One flag, --quiet, rather than the pair --quiet and --no-quiet.
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    with one_line_errors():
        check_once(sys.argv[1:] if arguments is None else arguments, type(chosen))
    compilation.enable_cache()
    with one_line_errors(), single_run():
        next(run for kind, run in _COMMANDS.values() if kind is type(chosen))(chosen)
        sys.stdout.flush()


def check_once(arguments: Sequence[str], kind: type) -> None:
    """InputError for an option of ``kind`` that is given more than once, of which the last would win without
    a word; but for those that are meant to be.
    """
    hints = get_type_hints(kind, include_extras=True).items()
    several = {name for name, hint in hints if tyro.conf.UseAppendAction in getattr(hint, "__metadata__", ())}
    options = takewhile(lambda one: one != "--", arguments)
    names = [one[2:].partition("=")[0].replace("-", "_") for one in options if one.startswith("--")]
    for name, count in Counter(names).items():
        if count > 1 and name not in several:
            raise InputError(f"{name}: must be given once, got it {count} times")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the process with one line on stderr at most: with status 2 where the user's input breaks a rule, 1
    where a loss is no longer finite or the system refuses, as a full disk does, and 130 after Ctrl-C. Every
    other error is a fault and keeps its trace.
    """
    try:
        yield
    except InputError as error:
        _exit(error, 2)
    except (FloatingPointError, OSError) as error:
        _exit(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _exit(error: Exception, status: int) -> NoReturn:
    print("error:", one_line(" ".join(str(error).split())), file=sys.stderr)
    sys.exit(status)
