"""What a number, or a fault, may depend on besides the code: to put into a report.

python -m jaxmlp
"""

import sys

from jaxmlp.runtime import compilation, environment, files, streams
from jaxmlp.types import InputError


def main() -> None:
    """Print a line for each part of the environment; status 2 and one line where JAX finds no device."""
    streams.prepare_streams()
    compilation.enable_cache()
    try:
        for name, value in (environment.describe() | {"cache": files.cache_folder()}).items():
            print(f"{name.replace('_', ' '):16} {value}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
