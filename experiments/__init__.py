"""One module per question; run each with ``python -m experiments.NAME``."""
