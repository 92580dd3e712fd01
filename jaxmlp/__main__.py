"""What a number, or a fault, may depend on besides the code: to put into a report.

python -m jaxmlp
"""

from jaxmlp import caches, records


def main() -> None:
    """Print a line for each part of the environment."""
    caches.keep_compiled()
    for name, value in (records.environment() | {"cache": caches.folder()}).items():
        print(f"{name.replace('_', ' '):16} {value}")


if __name__ == "__main__":
    main()
