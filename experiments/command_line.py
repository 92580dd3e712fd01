"""How every experiment meets the command line: one dataclass becomes the flags, an error one line."""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import tyro

from jaxmlp import caches
from jaxmlp.types import InputError

Config = TypeVar("Config")


def main(
    configuration_class: type[Config],
    run: Callable[[Config], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Reads ``arguments``, by default the command line's, into ``configuration_class`` and calls ``run``.

    The help shows the docstring of the module that defines the class, and the docstring under each field.
    Exits with status 2 when the user's input breaks a rule, 1 when a loss is no longer finite and 130 when
    interrupted, each with one line at most on stderr; every other error is a fault and keeps its trace.
    """
    module = sys.modules[configuration_class.__module__]
    configuration = tyro.cli(
        configuration_class,
        prog=f"python -m {_name(configuration_class.__module__)}",
        description=inspect.getdoc(module),
        args=arguments,
        # One flag, --smoke, rather than the pair --smoke and --no-smoke.
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    caches.keep_compiled()
    try:
        run(configuration)
    except InputError as error:
        _exit(error, 2)
    except FloatingPointError as error:
        _exit(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _name(module_name: str) -> str:
    """The name to give to ``python -m``; a module that is being run is called ``__main__``."""
    spec = sys.modules[module_name].__spec__
    return module_name if spec is None else spec.name


def _exit(error: Exception, status: int) -> NoReturn:
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    sys.exit(status)
