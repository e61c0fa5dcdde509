"""The command line, one module a command; `cluster.__main__` puts them together."""
