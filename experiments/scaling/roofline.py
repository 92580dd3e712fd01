"""On paper: from which batch on GPUs that are not here would be busy."""

from itertools import product
from typing import Any

# Per GPU, of NVIDIA's data sheets for the H100 SXM and the DGX H100: not measured here.
OPERATIONS = {"tf32": 495e12, "bfloat16": 989e12}
LINKS = {"8 GPUs of one host": (8, 450e9), "64 hosts of 8 GPUs": (512, 50e9)}
"""GPUs, and bytes per second and direction of the slowest link of each: NVLink, and a 400 Gb/s network."""
STEP_SECONDS = 8e-6
"""What a GPU spends on an iteration of a compiled loop however small its work."""
ATTAINED = 0.5
"""Share of the operations that products of such sizes attain."""


def roofline() -> list[dict[str, Any]]:
    """From which batch on GPUs would be busy with the products of a perceptron.

    Of P parameters and B images per GPU a step takes 6PB operations (forward, to the weights, to the layer
    before), and a ring sends 2(N−1)/N · 4P bytes of gradient over N GPUs. P cancels out: what counts is B.
    Networks on GPUs of their own send nothing, and as many at once are wanted as fill the time that a step
    takes in any case.
    """
    network = 784 * 512 + 512 * 512 + 512 * 10 + 512 + 512 + 10
    rows = []
    for (name, (number, link)), (precision, peak) in product(LINKS.items(), OPERATIONS.items()):
        attained = ATTAINED * peak
        batch = 2 * (number - 1) / number * 4 * attained / (6 * link)
        num_networks = STEP_SECONDS * attained / (6 * 128 * network)
        rows.append(
            {
                "devices": name,
                "precision": precision,
                "images_per_gpu_for_one_network": round(batch),
                "images_per_step_for_one_network": round(batch * number),
                "networks_per_gpu_to_fill_a_step_of_128": round(num_networks, 1),
            }
        )
    return rows
