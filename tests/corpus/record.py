"""Record sequences of the corpus on this machine's own Linux kernel.

    python -m tests.corpus.record GIVEN.jsonl.gz -o RECORDED.jsonl.gz
    python -m tests.corpus.record --written --draw 2000 --seed 1 -o RECORDED.jsonl.gz

Given sequences keep their operations and lose their outcomes; `written.py` has those written by
hand, `drawn.py` draws. `holezero corpus RECORDED.jsonl.gz` then compares.
Each runs three times: as it is, with every MADV_FREE reclaimed at once, and with no reclaim at all;
where these differ, the other outcomes become alternatives. Without swap, and with THP = madvise or
never, outcomes do not vary otherwise. Needs a C compiler; `recorder.c` makes the calls.
"""

import argparse
import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from cluster.calibration.host_costs import find_compiler
from cluster.corpus.corpus_file import sequences
from tests.corpus.drawn import drawn
from tests.corpus.written import written

SOURCE = Path(__file__).with_name("recorder.c")
PAGE = 4096
SLOT = 2048
PROT = {"none": 0, "r": 1, "rw": 3}
#: numbers of Linux's <sys/mman.h>
ADVICE = {
    "NORMAL": 0,
    "WILLNEED": 3,
    "DONTNEED": 4,
    "FREE": 8,
    "REMOVE": 9,
    "DONTFORK": 10,
    "DOFORK": 11,
    "WIPEONFORK": 18,
    "KEEPONFORK": 19,
    "COLD": 20,
    "PAGEOUT": 21,
    "POPULATE_READ": 22,
    "POPULATE_WRITE": 23,
    "DONTNEED_LOCKED": 24,
    "BOGUS": 99,
}
ERRNO = {0: "ok", 1: "EPERM", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 14: "EFAULT", 22: "EINVAL"}
SIGNALS = {1: "SEGV_MAPERR", 2: "SEGV_ACCERR", -2: "BUS_ADRERR"}
#: what MADV_FREE leaves to the kernel: as recorded, reclaimed at once, never reclaimed
PLAIN, AT_ONCE, NEVER = "plain", "at-once", "never"

Operation = dict[str, Any]
Sequence = dict[str, Any]


def record(given: Iterable[Sequence]) -> Iterator[Sequence]:
    """Yield sequences with the outcomes that this kernel gives."""
    with tempfile.TemporaryDirectory(prefix="holezero-") as folder:
        program = Path(folder) / "recorder"
        subprocess.run([*find_compiler(), "-O1", "-o", str(program), str(SOURCE)], check=True)
        left = iter(given)
        while some := list(islice(left, 200)):
            runs = [_run(program, some, way) for way in (PLAIN, AT_ONCE, NEVER)]
            for sequence, *outcomes in zip(some, *runs, strict=True):
                ops = zip(sequence["ops"], *outcomes, strict=True)
                yield {**sequence, "ops": [_merged(*operation) for operation in ops]}


def _run(program: Path, given: list[Sequence], way: str) -> list[list[Operation]]:
    lines = [line for sequence in given for line in _lines(sequence, way)]
    done = subprocess.run(
        [program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    )
    answers = iter(done.stdout.splitlines())
    return [[_outcome(one, answers, way) for one in sequence["ops"]] for sequence in given]


def _lines(sequence: Sequence, way: str) -> Iterator[str]:
    yield f"sequence {sequence['pages']} {sequence['procs']}"
    for operation in sequence["ops"]:
        yield _line(operation, way)
        if _reclaims(operation, way):
            yield f"{operation['p']} reclaim 0 {sequence['pages'] * PAGE} 0 0 0"


def _reclaims(operation: Operation, way: str) -> bool:
    return way == AT_ONCE and operation["op"] != "exit"


def _line(operation: Operation, way: str) -> str:
    kind, process = operation["op"], operation["p"]
    if kind in ("fork", "exit"):
        return f"{process} {kind} 0 0 {operation.get('child', 0)} 0 0"
    if kind in ("r", "w", "kr", "kw"):
        at = operation["pg"] * PAGE + operation["slot"] * SLOT
        return f"{process} {kind} {at} 0 0 {operation.get('val', 0)} 0"
    at = operation["pg"] * PAGE + operation.get("boff", 0)
    length = operation["n"] * PAGE + operation.get("blen", 0)
    numbers = (0, 0, 0)
    if kind == "map":
        numbers = PROT[operation["prot"]], int(operation["kind"] == "shared"), 0
    elif kind == "prot":
        numbers = PROT[operation["prot"]], 0, 0
    elif kind == "adv":
        lazy = operation["advice"] == "PAGEOUT" and way == NEVER
        numbers = ADVICE["COLD" if lazy else operation["advice"]], 0, 0
    elif kind == "remap":
        new, keep = operation["newn"] * PAGE, int(operation["dontunmap"])
        numbers = operation["to"] * PAGE, new, keep
    return " ".join(map(str, (process, kind, at, length, *numbers)))


def _outcome(operation: Operation, answers: Iterator[str], way: str) -> Operation:
    error, code, page, value, vec = next(answers).split()
    if _reclaims(operation, way):
        next(answers)
    if error == "-1":
        return {"res": SIGNALS[int(code)], "at": int(page)}
    found: Operation = {"res": ERRNO[int(error)]}
    if found["res"] == "ok" and operation["op"] in ("r", "kr"):
        found["v"] = int(value)
    if found["res"] == "ok" and operation["op"] == "mincore":
        found["vec"] = vec.strip("-").ljust(operation["n"], "0")[: operation["n"]]
    return found


def _merged(operation: Operation, plain: Operation, *others: Operation) -> Operation:
    """Return the operation with what it gave, and what it may give as well."""
    merged = {k: v for k, v in operation.items() if k not in ("st", "v", "vec", "at")}
    merged = {k: v for k, v in merged.items() if not k.startswith("alt")} | plain
    for key, name in (("res", "altres"), ("v", "alt"), ("vec", "altvec")):
        found = {one[key] for one in others if key in one} - {plain.get(key)}
        if found:
            merged[name] = sorted(found)
    return merged


def main() -> None:
    """Record what the command line names."""
    options = argparse.ArgumentParser(description="Record sequences on this Linux kernel.")
    options.add_argument("given", nargs="*", type=Path, help="sequences recorded before")
    options.add_argument("--written", action="store_true", help="those written by hand")
    options.add_argument("--draw", type=int, default=0, help="so many random sequences")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("-o", "--out", type=Path, required=True)
    found = options.parse_args()
    before = chain.from_iterable(map(sequences, found.given))
    given = chain(before, written() if found.written else (), drawn(found.seed, found.draw))
    lines = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in record(given))
    found.out.write_bytes(gzip.compress(lines.encode(), mtime=0))


if __name__ == "__main__":
    main()
