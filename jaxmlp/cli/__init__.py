"""The command ``jaxmlp``: fit, predict, show and env, for people with data."""
