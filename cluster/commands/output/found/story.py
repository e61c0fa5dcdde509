"""A story on standard output: a table with a lane for each machine, or lines for a pipe."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.explore.found.story import Story, Told


def print_story(out: Console, story: Story) -> None:
    """Print who runs what, the steps, and what they break."""
    for thread in story.threads:
        out.print(f"thread {thread}")
    for hazard in story.hazards:
        out.print(f"hazard {hazard}")
    out.print("")
    if out.is_terminal:
        out.print(_lanes(story))
    else:
        for step in story.steps:
            out.print(_line(step))
    out.print("")
    if story.departure is not None:
        for line in _departure(story):
            out.print(line)
    if story.promise:
        out.print(Text(f"broken: {story.promise}: {story.sentence}", style="bold red"))
        for operation in story.operations:
            out.print(f"  {operation}")


def _lanes(story: Story) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    for name in story.machines:
        table.add_column(name, overflow="fold")
    for step in story.steps:
        cells = ["" for _ in story.machines]
        cells[story.machines.index(step.receiver)] = f"{step.sender}> {step.message}"
        mark = story.departure is not None and step.number in (
            story.departure.state_at,
            story.departure.sends_at,
        )
        table.add_row(str(step.number), *cells, style="yellow" if mark else "")
    return table


def _line(step: Told) -> str:
    return (
        f"{step.number:>4}  {step.sender:>10}>{step.receiver:<10} {step.operation:10} "
        f"{step.message}"
    )


def _departure(story: Story) -> list[str]:
    at = story.departure
    assert at is not None
    lines = []
    if at.state_at and at.state_at != at.sends_at:
        step = story.steps[at.state_at - 1]
        lines.append(
            f"step {at.state_at}, {step.receiver} takes {step.message}: the correct variant sends "
            "the same, but keeps another state"
        )
    if at.sends_at:
        what = "was not sent that" if at.missing else "does something else"
        lines.append(
            f"step {at.sends_at}, {at.receiver} takes {at.message}: the correct variant {what}"
        )
        lines += [f"  it sends {text}" for text in at.lacks]
        lines += [f"  it does not send {text}" for text in at.adds]
    return lines
