"""The form of a script: blocks of comments, commands and the transcript below them."""

from collections.abc import Iterator

SEPARATOR = "----"


class ScriptFileError(Exception):
    """A script can not be run: which command, and what is wrong with it."""


class Block:
    """Comments and commands, as written, and the transcript below the separator."""

    def __init__(self, lines: list[str], expected: list[str]) -> None:
        self.lines = lines
        self.expected = expected

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield (command, program lines)."""
        lines = [line for line in self.lines if line.strip() and not line.startswith("#")]
        while lines:
            line = lines.pop(0)
            program: list[str] = []
            if line.split()[0] == "thread":
                program, lines = lines, []
            yield line, program


def blocks(text: str) -> tuple[list[Block], list[str]]:
    """Cut a script into blocks; what follows the last transcript comes extra."""
    found, head = [], []
    lines = iter(text.splitlines())
    for line in lines:
        if line.rstrip() != SEPARATOR:
            head.append(line)
            continue
        expected = []
        for below in lines:
            if not below.strip():
                break
            expected.append(below)
        found.append(Block(head, expected))
        head = []
    return found, head
