"""Tables on standard output: with lines and colours on a terminal, plain text in a pipe."""

from rich import box
from rich.console import Console
from rich.table import Table

#: a pipe has no width: wide enough that nothing is cut
_PIPE_COLUMNS = 400


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the program with 1, which means a broken promise
        raise BrokenPipeError


def console() -> Console:
    """Return the console for results."""
    out = _Console(highlight=False, emoji=False, markup=False)
    if out.is_terminal:
        return out
    return _Console(highlight=False, emoji=False, markup=False, width=_PIPE_COLUMNS)


def plain_table(out: Console, *headings: str) -> Table:
    """Make an empty table with left-aligned columns."""
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=not i)  # a name is copied whole
    return table
