"""How well does a multilayer perceptron read MNIST? Trains on 70,000 handwritten digits of 28×28 pixels.

    python -m experiments.mnist

needs the extra tfds (pip install "jaxmlp[tfds]"), by which tensorflow-datasets downloads and checks the data
once; --manual-dir names a folder of files already downloaded. Any other set of images of one size works too:
--dataset fashion_mnist. It leaves in runs/mnist a record of the run, the trained network, page.html to try
it out (where that takes no more than 3 MB), and pictures: the learning curves, the weights of the 60 hidden
neurons, the confusion matrix, and the worst mistakes.
"""

from dataclasses import dataclass
from typing import ClassVar

from experiments.harness import classifier
from experiments.harness.classifier import answer, draw, run
from experiments.harness.command import main
from experiments.harness.flags import Hyperparameters, HyperparamFlags, Sizes

RECIPE = HyperparamFlags(learning_rate=2e-3)


@dataclass(frozen=True)
class Config(classifier.Config):
    QUICK: ClassVar[Sizes] = {"dataset": "digits", "num_seeds": 5, "num_epochs": 60, "batch_size": 32}

    dataset: str = "mnist"
    hyperparams: Hyperparameters = RECIPE
    schedule: str = "cosine"


if __name__ == "__main__":
    main(Config, run, draw, answer)
