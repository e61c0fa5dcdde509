"""Sequences of memory operations, recorded on a real kernel, against the simulated one."""
