"""The command ``jaxmlp`` as ``python -m jaxmlp``."""

from importlib import import_module

if __name__ == "__main__":
    import_module("jaxmlp.cli.command").main()
