"""What the user handed in cannot be used: a file, an option or a scenario."""


class InputError(Exception):
    """The input is at fault, not the program; the command line prints it and exits with 2.

    The message says what was read (file, option), where in it the trouble is (line, byte, key)
    and what the user can do about it.
    """
