"""Hosts: they run machines, in simulated time or in any order."""
