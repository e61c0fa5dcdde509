"""The form of a script: blocks of comments, verbs and the transcript below them."""

from collections.abc import Iterator

SEPARATOR = "----"
#: verbs that set something up and answer nothing: they may share a block with one that answers
SILENT = frozenset({"machine", "policy", "hazards", "thread", "start"})


class ScriptFileError(Exception):
    """A script cannot be run: which command, and what is wrong with it."""


class Block:
    """Comments and commands, as written, and the transcript below the separator."""

    def __init__(self, lines: list[str], expected: list[str]) -> None:
        self.lines = lines
        self.expected = expected

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield (command, program lines)."""
        lines = [line for line in self.lines if _is_command(line)]
        while lines:
            line = lines.pop(0)
            program: list[str] = []
            if line.split()[0] == "thread":
                program, lines = lines, []
            yield line, program

    def by_verb(self) -> Iterator["Block"]:
        """Yield the block in pieces, each with at most one verb that answers."""
        piece: list[str] = []
        answers = threads = False
        for line in self.lines:
            verb = line.split()[0] if _is_command(line) and not threads else ""
            if answers:
                yield Block(piece, [])
                piece, answers = [], False
            piece.append(line)
            answers = verb not in ("", *SILENT)
            threads = threads or verb == "thread"
        yield Block(piece, [])


def _is_command(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def blocks(text: str) -> tuple[list[Block], list[str]]:
    """Cut a script into blocks; return them, and what follows the last transcript."""
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
    """Return `claim`, `by` and `verdict` of a script's head; each may go on in indented lines."""
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
        raise ScriptFileError(
            f"a script of a claim begins with `# claim:`, `# by:` and `# verdict:`; "
            f"this one has {[*found]}"
        )
    return found["claim"], found["by"], found["verdict"]
