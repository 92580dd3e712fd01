"""How well does a multilayer perceptron read MNIST? Trains on 70,000 handwritten digits of 28×28 pixels.

    python -m experiments.mnist

needs the extra tfds (pip install "jaxmlp[tfds]"), by which tensorflow-datasets downloads and checks the data
once; --manual-dir names a folder of files already downloaded. Any other set of images of one size works too:
--dataset fashion_mnist. It leaves in runs/mnist a record of the run, the trained network, and pictures:
the learning curves, the weights of the 60 hidden neurons, the confusion matrix, and the worst mistakes.
"""

from dataclasses import dataclass

from experiments import classification
from experiments.command_line import main


@dataclass(frozen=True)
class Config(classification.Config):
    dataset: str = "mnist"
    learning_rate: float | None = 2e-3
    schedule: str = "cosine"


def run(config: Config) -> None:
    """Train on MNIST, or on whatever ``--dataset`` names."""
    classification.run(config)


if __name__ == "__main__":
    main(Config, run)
