"""Markdown for the rendered documents."""

from collections.abc import Iterable, Iterator


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    heads = list(heads)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def filled_in(text: str, name: str, lines: Iterable[str]) -> str:
    """Return a document with the part between two marks written anew.

    The marks are lines, `<!-- NAME: rendered by make documents -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: one of them is missing.
    """
    begin, end = f"<!-- {name}: rendered by `make documents` -->", f"<!-- end of {name} -->"
    head, found_begin, rest = text.partition(begin + "\n")
    _, found_end, tail = rest.partition(end + "\n")
    if not found_begin or not found_end:
        raise ValueError(f"there is no part between {begin} and {end}")
    return "\n".join([head + begin, "", *lines, "", end + "\n" + tail])
