"""The error that a run ended by. Imports nothing: `holezero --help` has it loaded."""

from pathlib import Path


class RunFailedError(Exception):
    """A run ended by an error of the program; what it left is in `directory`."""

    def __init__(self, directory: Path, log: Path, error: BaseException) -> None:
        """Say which error, and where its log is."""
        super().__init__(f"{type(error).__name__}: {error}")
        self.directory = directory
        self.log = log
