"""Machines that play the guest's side."""
