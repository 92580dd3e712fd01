"""Questions about neural networks, each with a record, pictures and an error bar."""

NAMES = (
    *("digits", "mnist", "shopping", "linear_collapse", "activations", "outputs", "backprop", "neurons"),
    *("optimizers", "cnn", "sweep", "by_hand", "tabular", "optimism", "folds", "populations", "scaling"),
    *("durability", "benchmark"),
)
"""All of them, in the order of the walk."""
