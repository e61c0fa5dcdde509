"""Calls that change what is mapped where, and who inherits it."""
