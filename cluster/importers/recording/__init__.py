"""Recordings read line by line, and what a record says."""
