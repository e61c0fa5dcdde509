"""Kernel threads: the page daemon, the zeroing thread, and what they share."""
