"""The checker believes no defendant: what it reads of the machines, and that it reads no more."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cluster.properties

ROOM = Path(cluster.properties.__file__).parent
OBSERVED = ROOM / "observed.py"
MODULES = sorted(path for path in ROOM.rglob("*.py") if path != OBSERVED)
#: what may be known of machines beside `Observed`: messages, effects, kinds of operations
KNOWN = {
    "actors.machine", "actors.message", "actors.messages", "actors.operation", "actors.core.values",
    "actors.call_names",
}  # fmt: skip
#: fields of machines that are evidence
EVIDENCE = {
    "running.asid", "running.doing", "running.thread", "buffer.entries", "accesses.walk_killed",
    "accesses.walk_vpn", "accesses.tlb.entries", "space.pmap.ptes", "machine.state.spaces",
    "machine.contents", "machine.junk", "scheduler.threads",
}  # fmt: skip
#: books that are audited
BOOKS = {
    "machine.state.pages.frames", "machine.state.pages", "machine.state.objects.by_oid",
    "machine.settings.is_zero_page", "space.resident", "one.pages", "one.swap", "page.pfn",
    "page.hole", "machine.freed", "machine.freed_zeroed", "m.fresh", "m.waiters", "m.contents",
    "m.waiting", "m.me", "core.scheduler.threads", "core.scheduler.awaits",
    "core.scheduler.await_text", "scheduler.awaits", "scheduler.has_ended", "scheduler.is_unborn",
}  # fmt: skip
#: steps on the way to them, and what is not of a machine
WAYS = {
    "self.machines", "self._core", "one.accesses", "one.running", "one.buffer",
    "found.bases", "found.cells", "pte_bits.pfn_of", "HoleState.LIVE", "space.pmap",
    "core.scheduler", "one.thread", "one.index",
}  # fmt: skip
#: methods of containers
METHODS = {"get", "values", "items", "update"}


def chains(tree: ast.AST) -> Iterator[str]:
    """Yield every chain of attributes that is read, the longest of each."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            yield chain(node)


def chain(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        if node.attr not in METHODS:
            names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    found = ".".join(reversed(names))
    rest = found.removeprefix("one.")
    return rest if "." in rest else found


def test_these_fields_are_read_and_no_other() -> None:
    read = {one for one in chains(ast.parse(OBSERVED.read_text(encoding="utf-8"))) if "." in one}
    assert read == (EVIDENCE | BOOKS | WAYS) & read, read - EVIDENCE - BOOKS - WAYS
    assert (EVIDENCE | BOOKS) - read == set(), "no longer read"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_nobody_else_knows_a_machine(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name for name in imported if name.startswith("actors")} <= KNOWN
