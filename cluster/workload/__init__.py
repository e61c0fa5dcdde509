"""Recorded guests: workload files, read and written."""
