"""How well does a small network read scikit-learn's digits? Trains on its 1,797 images of 8×8 pixels.

    python -m experiments.digits

needs no download and takes seconds. It prints the accuracy on test images that the network never saw, and
leaves in runs/digits a record of the run, the trained network, page.html to try it out, and pictures: the
learning curves, the weights of each hidden neuron, the confusion matrix, and the digits that it got most
wrong.
"""

from dataclasses import dataclass
from typing import ClassVar

from experiments.harness import classifier
from experiments.harness.classifier import answer, draw, run
from experiments.harness.command import main
from experiments.harness.flags import Hyperparameters, HyperparamFlags, Sizes

RECIPE = HyperparamFlags(learning_rate=3e-3, dropout=0.2)


@dataclass(frozen=True)
class Config(classifier.Config):
    QUICK: ClassVar[Sizes] = {"num_splits": 5}

    dataset: str = "digits"
    hyperparams: Hyperparameters = RECIPE
    schedule: str = "cosine"
    batch_size: int | None = 32
    num_epochs: int = 100


if __name__ == "__main__":
    main(Config, run, draw, answer)
