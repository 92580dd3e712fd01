"""Keras 3 on JAX."""

import os

from experiments.benchmark.work import Data, Trainer, Work, initial, share_right


def keras(work: Work, data: Data) -> Trainer:
    """Keras 3 on JAX: ``fit`` on arrays, compiled, several steps in one call."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(work.seed)
    *hidden, num_classes = work.layer_sizes[1:]
    layers = [keras.layers.Dense(size, activation="relu") for size in hidden]
    model = keras.Sequential([keras.Input((work.layer_sizes[0],)), *layers, keras.layers.Dense(num_classes)])
    model.set_weights([array for layer in initial(work) for array in layer])
    model.compile(
        optimizer=keras.optimizers.Adam(work.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=8,
    )

    def epoch() -> None:
        model.fit(data.inputs, data.labels, batch_size=work.batch_size, epochs=1, verbose=0)

    def accuracy() -> float:
        return share_right(
            model.predict(data.validation_inputs, batch_size=1024, verbose=0), data.validation_labels
        )

    return Trainer(epoch, accuracy)
