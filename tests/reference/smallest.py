"""The smallest guest that still differs in the same way: fewer instructions, shorter ranges."""

import re
from collections.abc import Callable, Iterator

from tests.reference.guests import Guest

#: says how a guest differs; empty: it does not
Judge = Callable[[Guest], str]


def kind(text: str) -> str:
    """Return a difference without its numbers: two of a kind have the same cause, mostly."""
    return re.sub(r"-?\d+", "N", re.sub(r"^\d+: (\S+).*?: ", r"\1: ", text))[:90]


def smallest(guest: Guest, judge: Judge) -> Guest:
    """Make a guest smaller as long as it differs in the same way."""
    wanted = kind(judge(guest))
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(guest):
            if kind(judge(candidate)) == wanted:
                guest, smaller = candidate, True
                break
    return guest


def _smaller(guest: Guest) -> Iterator[Guest]:
    order = guest.order
    for index in reversed(range(1, len(order))):
        yield guest._replace(order=(*order[:index], *order[index + 1 :]))
    for index, (thread, line) in enumerate(order):
        for simpler in sorted({_one_page(line), _plain(line)} - {line}):
            changed = (thread, simpler)
            yield guest._replace(order=(*order[:index], changed, *order[index + 1 :]))


def _one_page(line: str) -> str:
    return re.sub(r"^(\S+ \d+) [2-9]\b", r"\1 1", line)


def _plain(line: str) -> str:
    return re.sub(r"^(load|store|copyin|copyout) (\d+)(\.\d+)?.*", r"\1 \2", line)


def scenario(guest: Guest, preset: str, about: str) -> str:
    """Return the guest as a file that `holezero run` takes."""
    programs, _ = guest.programs()
    lines = [f'about = "{about}"', "[machine]", "cores = 2", "[policy]", f'preset = "{preset}"']
    for number, (process, core) in enumerate(guest.threads):
        run = ", ".join(f'"{line}"' for line in programs[number])
        lines += ["[[thread]]", f'name = "{number}"', f"process = {process}", f"core = {core}"]
        lines += ["initial = false"] if number else []
        lines.append(f"run = [{run}]")
    return "\n".join(lines) + "\n"
