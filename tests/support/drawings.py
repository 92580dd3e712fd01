"""A drawing as the network's inputs alone."""

from jaxmlp.data.drawings import read_drawing


def to_network_input(*arguments, **options):
    return read_drawing(*arguments, **options)[0]
