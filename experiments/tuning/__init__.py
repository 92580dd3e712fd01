"""How long a tuned network takes, from the start of a process to a saved file."""
