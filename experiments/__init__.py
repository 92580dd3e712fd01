"""Questions about neural networks, each with a record, pictures and an error bar."""

import gc

# Imports and traced programs leave little behind: to look for it after every 700 objects took a fifth of the
# four seconds of a small experiment.
gc.set_threshold(100_000)

NAMES = (
    *("digits", "mnist", "shopping", "linear_collapse", "activations", "outputs", "backprop", "neurons"),
    *("optimizers", "cnn", "sweep", "by_hand", "tuning", "tabular", "optimism", "folds", "photographs"),
    *("populations", "scaling", "durability", "benchmark"),
)
"""All of them, in the order of the walk."""
