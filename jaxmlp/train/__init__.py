"""The pure functions of a run, what is compiled of it, the loop that drives it, many runs as one."""
