"""The command line, one module a command: what may be typed, and what it means."""
