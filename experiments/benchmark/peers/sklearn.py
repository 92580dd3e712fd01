"""scikit-learn."""

import numpy as np

from experiments.benchmark.work import Data, Trainer, Work, initial


def sklearn(work: Work, data: Data) -> Trainer:
    """scikit-learn's MLPClassifier, an epoch at a time."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        work.layer_sizes[1:-1],
        batch_size=work.batch_size,
        learning_rate_init=work.learning_rate,
        alpha=0.0,
        random_state=work.seed,
    )
    first = slice(work.batch_size)
    model.partial_fit(data.inputs[first], data.labels[first], classes=np.arange(work.layer_sizes[-1]))
    # Its optimizer holds these very arrays.
    for weight, bias, (new_weight, new_bias) in zip(
        model.coefs_, model.intercepts_, initial(work), strict=True
    ):
        weight[...], bias[...] = new_weight, new_bias

    def epoch() -> None:
        model.partial_fit(data.inputs, data.labels)

    return Trainer(epoch, lambda: float(model.score(data.validation_inputs, data.validation_labels)))
