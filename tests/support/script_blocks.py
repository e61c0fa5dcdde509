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


def claim_of(text: str) -> tuple[str, str, str]:
    """Give `claim`, `by` and `verdict` of a script's head; each may go on in indented lines."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        head, colon, rest = line.removeprefix("# ").partition(": ")
        if colon and head in ("claim", "by", "verdict"):
            key, found[head] = head, rest
        elif line.startswith("#   ") and key:
            found[key] += " " + line.removeprefix("#   ")
        else:
            break
    if len(found) != 3:
        raise ScriptFileError(f"a claim is headed by claim, by and verdict, not by {[*found]}")
    return found["claim"], found["by"], found["verdict"]
