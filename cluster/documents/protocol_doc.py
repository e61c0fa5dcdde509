"""PROTOCOL.md, rendered from the code that runs: hole table, messages, policies, hazards."""

from collections.abc import Iterator

import actors.messages
import kernel.hole
from actors.message_text import message_classes
from cluster.documents.markdown import table
from cluster.properties.deadlines import FRAMES, RETURNS
from kernel.hazards.catalogue import CATALOGUE
from kernel.hazards.real_bugs import KIND_ABOUT, counts
from kernel.hazards.real_bugs import TABLE as KNOWN
from kernel.hole import ILLEGAL_BECAUSE, TABLE, Action, HoleEvent, HoleState
from kernel.policy.keys import Policy, concerned
from kernel.policy.presets import PRESET_ABOUT, PRESETS
from kernel.policy.promises import Property, promises


def _block(documentation: str | None) -> Iterator[str]:
    """Yield the indented diagrams of a module's documentation as they are."""
    for line in (documentation or "").splitlines():
        if line.startswith("    "):
            yield line.removeprefix("    ")


def _next(state: HoleState | None) -> str:
    return "gone" if state is None else state.name


def _actions(actions: tuple[Action, ...]) -> str:
    return ", ".join(a.name for a in actions if a is not Action.NOTHING)


def _hole_table() -> Iterator[str]:
    yield "## The life of a resident page of a hole"
    yield ""
    yield "By event: the states in which it may be raised, what follows, and what else is done."
    yield "`gone`: the page has left the table. Pairs that are missing are illegal, see below."
    yield ""
    yield "```"
    yield from _block(kernel.hole.__doc__)
    yield "```"
    for event in HoleEvent:
        rows = [
            (state.name, _next(after), _actions(actions))
            for (state, raised), (after, actions) in TABLE.items()
            if raised is event
        ]
        yield ""
        yield f"### {event.name}"
        yield ""
        yield from table(("state", "next", "and"), rows)
    yield ""
    yield "### Illegal pairs"
    yield ""
    for reason, pairs in ILLEGAL_BECAUSE.items():
        names = ", ".join(f"{event.name} on {state.name}" for state, event in pairs)
        yield f"* {reason}: {names}"


def _messages() -> Iterator[str]:
    yield "## Messages"
    yield ""
    yield "```"
    yield from _block(actors.messages.__doc__)
    yield "```"
    yield ""
    rows = []
    for kind in message_classes():
        route, _, meaning = (kind.__doc__ or "").splitlines()[0].partition(": ")
        fields = ", ".join(kind.__struct_fields__)
        tag = kind.__struct_config__.tag
        rows.append((str(tag), f"`{kind.__name__}`", f"`{route}`", meaning, f"`{fields}`"))
    yield from table(("tag", "message", "receiver <- sender", "meaning", "fields"), rows)


def _policies() -> Iterator[str]:
    yield "## Policies"
    yield ""
    yield from table(("preset", "what it is"), PRESET_ABOUT.items())
    yield ""
    keys = Policy.__struct_fields__
    rows = [
        (name, *(str(getattr(p, key)) if key in concerned(p) else "-" for key in keys))
        for name, p in PRESETS.items()
    ]
    yield from table(("preset", *keys), rows)
    yield ""
    yield "What each promises; anything else that is broken is reported, and is no violation."
    yield ""
    marks = [
        (name, *("yes" if one in promises(policy) else "" for one in Property))
        for name, policy in PRESETS.items()
    ]
    yield from table(("preset", *Property), marks)


def _deadlines() -> Iterator[str]:
    yield "## Deadlines"
    yield ""
    yield "By when other cores must have lost what a call, or the use of a frame, takes away. What"
    yield "every translation sent earlier gives is then within what the page table gives, or an"
    yield "event of its core that is known by then shows neither the entry nor a live walk for it."
    yield "A core that has another root loaded, as far as is known, owes that by the time it loads"
    yield "this one. `tests/cluster/properties/test_deadlines.py` has a machine for each that"
    yield "forgets the flush, and is found by it."
    yield ""
    rows = [
        (one.when, one.pages, one.due.value, one.text)
        for one in (*(row for rows in RETURNS.values() for row in rows), *FRAMES)
    ]
    yield from table(("when", "of which pages", "what is too much", "under"), rows)


def _hazards() -> Iterator[str]:
    yield "## Hazards"
    yield ""
    yield "Steps that a variant could leave out or reorder, as switches (`run.hazards`)."
    yield ""
    rows = [
        (i.name, i.mechanism, ", ".join(i.breaks), i.boundary, i.resembles)
        for i in CATALOGUE.values()
    ]
    yield from table(("hazard", "mechanism", "breaks", "needs", "resembles"), rows)


def _sources() -> Iterator[str]:
    yield "### What is known to go wrong elsewhere"
    yield ""
    yield "By the numbers that `resembles` has, and where each is here; [SOURCES.md](SOURCES.md)"
    yield "says where each was seen."
    yield ""
    for kind, count in counts(KNOWN).items():
        yield f"* {kind} ({count}): {KIND_ABOUT[kind]}"
    yield ""
    rows = (
        (row.name, row.what, row.kind, ", ".join(row.shown_by), row.seen_in, row.note)
        for row in KNOWN
    )
    yield from table(("number", "what", "here", "shown by", "seen in", "note"), rows)


def render() -> str:
    """Return the whole document."""
    lines = [
        "# The protocol",
        "",
        "<!-- rendered by `make documents`; change the code, not this file -->",
        "",
        *_beside(),
        "",
        *_hole_table(),
        "",
        *_messages(),
        "",
        *_policies(),
        "",
        *_deadlines(),
        "",
        *_hazards(),
        "",
        *_sources(),
    ]
    return "\n".join(lines) + "\n"


def _beside() -> Iterator[str]:
    yield "Beside this: [ARCHITECTURE.md](ARCHITECTURE.md) explains the words and has the life of a"
    yield "HOLE step by step, [CLAIMS.md](CLAIMS.md) what the discussion of the proposal claims and"
    yield "what the machine shows of it, [SOURCES.md](SOURCES.md) what all this rests on."
