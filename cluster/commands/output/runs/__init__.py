"""Runs side by side, as a table."""
