"""The command ``jaxmlp``: fit, predict, show, page and env, for people with data."""
