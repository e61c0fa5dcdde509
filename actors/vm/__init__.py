"""The address spaces of a process family: state, not a CPU."""
