"""Machines that carry out one memory operation each."""
