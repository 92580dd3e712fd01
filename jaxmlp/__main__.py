"""The command ``jaxmlp``, also as ``python -m jaxmlp``."""

import gc
import sys
from importlib import import_module


def main() -> None:
    """The command; where JAX refuses a variable of the environment, its line with status 2."""
    # Imports and traced programs leave little behind: to look for it after every 700 objects took a fifth of
    # the seconds before training.
    gc.set_threshold(100_000)
    try:
        command = import_module("jaxmlp.cli.command")
    except ValueError as error:
        if "environment" not in str(error):
            raise
        print(f"error: {error}; give it another value, or unset it", file=sys.stderr)
        sys.exit(2)
    command.main()


if __name__ == "__main__":
    main()
