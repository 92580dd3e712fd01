"""How well does a small network read scikit-learn's digits? Trains on its 1,797 images of 8×8 pixels.

    python -m experiments.digits

needs no download and takes seconds. It prints the accuracy on test images that the network never saw, and
leaves in runs/digits a record of the run, the trained network, and pictures: the learning curves, the
weights of each hidden neuron, the confusion matrix, and the digits that it got most wrong.
"""

from dataclasses import dataclass

from experiments import classification
from experiments.command_line import main


@dataclass(frozen=True)
class Config(classification.Config):
    dataset: str = "digits"
    learning_rate: float | None = 3e-3
    schedule: str = "cosine"
    dropout: float | None = 0.2
    batch_size: int | None = 32
    num_epochs: int = 100


def run(config: Config) -> None:
    """Train on digits, or on whatever ``--dataset`` names."""
    classification.run(config)


if __name__ == "__main__":
    main(Config, run)
