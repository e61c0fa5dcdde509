"""Hosts that run the machines, their traces, and the command line."""
