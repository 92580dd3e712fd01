"""What a run stands on: programs, files, devices, processes, signals, a backend that computes right."""
