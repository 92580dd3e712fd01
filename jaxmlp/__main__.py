"""What a number, or a fault, may depend on besides the code: to put into a report.

python -m jaxmlp
"""

from jaxmlp.runtime import compilation, environment, files


def main() -> None:
    """Print a line for each part of the environment."""
    compilation.enable_cache()
    for name, value in (environment.describe() | {"cache": files.cache_folder()}).items():
        print(f"{name.replace('_', ' '):16} {value}")


if __name__ == "__main__":
    main()
