"""A recording as an oracle: do the simulated machines fault where the recorded kernel did."""
