"""The file of a corpus: a sequence per line, as JSON, compressed or not; checked before it runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cluster.importers.recording.lines import Progress, RecordingLines, no_progress, open_recording
from cluster.input_error import InputError

#: what each operation needs besides `p`, `op` and `res`, named as in the corpus' README
_NEEDS: dict[str, tuple[str, ...]] = {
    "map": ("pg", "n", "prot", "kind"),
    "unmap": ("pg", "n"),
    "prot": ("pg", "n", "prot"),
    "lock": ("pg", "n"),
    "unlock": ("pg", "n"),
    "mincore": ("pg", "n"),
    "adv": ("pg", "n", "advice"),
    "remap": ("pg", "n", "to", "newn", "dontunmap"),
    "w": ("pg", "slot", "val"),
    "r": ("pg", "slot"),
    "kw": ("pg", "slot", "val"),
    "kr": ("pg", "slot"),
    "fork": ("child",),
    "exit": (),
}
_PAGES_MAX, _PROCESSES_MAX, _VALUE_MAX = 4096, 64, 1 << 62
_WORDS = {"prot": {"none", "r", "rw"}, "kind": {"priv", "shared"}}
#: the halves of HOLE and ZERO
_SECOND = {"hole1": "hole2", "zero1": "zero2"}
_HALVES = {
    "hole1": ("adv", "FREE"),
    "hole2": ("prot", "none"),
    "zero1": ("prot", "rw"),
    "zero2": ("adv", "DONTNEED"),
}
_PAIRS = "hole1 (FREE), hole2 (prot none) or zero1 (prot rw), zero2 (DONTNEED)"
_RANGE = ("pg", "n", "boff", "blen")
#: a page of the corpus has two words
_SLOTS = 2


def sequences(path: Path, progress: Progress = no_progress) -> Iterator[dict[str, Any]]:
    """Yield the sequences of a corpus.

    progress: called with bytes read and bytes to read, both on disk.

    Raises:
        InputError: it cannot be read, or is not a corpus; names the line.
    """
    size = open_recording(path)
    lines = RecordingLines(path, lambda done: progress(done, size))
    for line in lines:
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            raise InputError(f"{path}:{lines.lines}: is not JSON: {e}") from e
        problem = _problem(found)
        if problem:
            raise InputError(f"{path}:{lines.lines}: is not a sequence of a corpus: {problem}")
        yield found
    if lines.truncated or lines.overlong:
        raise InputError(f"{path}: is damaged or cut short after line {lines.lines}")


def _problem(found: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """Return why it cannot be run; empty if it can."""
    if not isinstance(found, dict) or not isinstance(found.get("ops"), list):
        return "it is an object with `id`, `pages`, `procs` and `ops`"
    if not _is_number(found.get("procs"), 1, _PROCESSES_MAX):
        return f"`procs` is not 1 to {_PROCESSES_MAX}"
    if not _is_number(found.get("pages"), 1, _PAGES_MAX) or "id" not in found:
        return f"`pages` is not 1 to {_PAGES_MAX}, or there is no `id`"
    return _problem_of_order(found) or _problem_of_pairs(found["ops"])


def _problem_of_order(found: dict[str, Any]) -> str:
    alive = {0}
    forked = {0}
    for index, operation in enumerate(found["ops"]):
        problem = _problem_of(operation, found["procs"])
        if problem:
            return f"operation {index}: {problem}"
        if operation["p"] not in alive:
            return f"operation {index}: process {operation['p']} does not run"
        if operation["op"] == "exit":
            alive.discard(operation["p"])
        elif operation["op"] == "fork":
            if operation["child"] in forked:
                return f"operation {index}: process {operation['child']} exists already"
            forked.add(operation["child"])
            alive.add(operation["child"])
    return ""


def _problem_of_pairs(operations: list[dict[str, Any]]) -> str:
    """Say where a HOLE or ZERO is not two calls of one range, one after the other."""
    begun: dict[int, dict[str, Any]] = {}
    for index, operation in enumerate(operations):
        first, tag = begun.pop(operation["p"], None), operation.get("tag")
        due = [None, *_SECOND] if first is None else [_SECOND[first["tag"]]]
        if tag not in due or (tag is not None and _call(operation) != _HALVES[tag]):
            return f"operation {index}: a tagged pair is {_PAIRS}, and nothing comes between"
        if first is not None and any(operation.get(k) != first.get(k) for k in _RANGE):
            return f"operation {index}: is not about the range of the other half of its pair"
        if first is None and tag is not None:
            begun[operation["p"]] = operation
    return ""


def _call(operation: dict[str, Any]) -> tuple[str, Any]:
    return operation["op"], operation.get("advice", operation.get("prot"))


def _problem_of(operation: Any, processes: int) -> str:  # noqa: ANN401 - as above
    if not isinstance(operation, dict) or operation.get("op") not in _NEEDS:
        return f"there are the operations {', '.join(_NEEDS)}"
    needs = _NEEDS[operation["op"]]
    missing = [key for key in ("p", "res", *needs) if key not in operation]
    if missing:
        return f"lacks {', '.join(missing)}"
    for key in ("p", *needs):
        value = operation[key]
        if key in _WORDS:
            good = value in _WORDS[key]
        elif key == "advice":
            good = isinstance(value, str)
        else:
            most = {"p": processes - 1, "child": processes - 1, "slot": _SLOTS - 1}
            good = _is_number(value, 0, most.get(key, _VALUE_MAX if key == "val" else _PAGES_MAX))
        if not good:
            return f"{key} cannot be {value!r}"
    limit = _PAGES_MAX * 4096
    if not all(_is_number(operation.get(key, 0), -limit, limit) for key in ("boff", "blen")):
        return "boff or blen is out of range"
    return ""


def _is_number(value: Any, least: int, most: int) -> bool:  # noqa: ANN401 - as above
    return isinstance(value, int) and least <= value <= most
