"""Read the lines of an strace recording, as `strace -f -ttt -T` prints them.

The thread id (`-f`), the time (`-ttt` or `-tt`) and the duration (`-T`) may be missing. The two
halves of a call that another thread's line interrupted (`<unfinished ...>`, `<... name resumed>`)
are joined.
"""

import re
from enum import Enum

import msgspec

from cluster.importers.recording.lines import ForeignLineError

_HEAD = re.compile(
    rb"(?:\[pid +(\d{1,9})\] |(\d{1,9}) +)?"
    rb"(?:(\d{9,12})\.(\d{1,9}) |(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? )?"
)
_NAME = re.compile(rb"[a-z_][a-z0-9_]*")
_DURATION = re.compile(rb"<(\d{1,9})\.(\d{1,9})>$")
_UNFINISHED = b"<unfinished ...>"
_RESUMED = re.compile(rb"<\.\.\. ([a-z_][a-z0-9_]*) resumed> ?")
_ENDED = re.compile(rb"\+\+\+ (exited|killed|superseded) .*\+\+\+$")
_SIGNAL = re.compile(rb"--- .*---$")
_NUMBER_LIMIT = 1 << 64
#: the only thread of a recording without thread ids
LONE_TID = 1


class Step(Enum):
    """What a line says about its thread."""

    #: a whole call
    CALL = "call"
    #: a call is entered, and another thread's line interrupts
    ENTRY = "entry"
    #: the rest of an interrupted call
    RETURN = "return"
    EXIT = "exit"
    SIGNAL = "signal"


class StraceLine(msgspec.Struct, frozen=True, gc=False):
    """One line, with the parts of an interrupted call put together; times in ns."""

    step: Step
    tid: int
    #: number of the line; of a RETURN, that of its entry
    number: int
    start_ns: int
    end_ns: int = 0
    name: str = ""
    args: bytes = b""
    #: None: strace saw none (`?`), or the call is only entered
    result: int | None = None

    @property
    def failed(self) -> bool:
        """Say whether the call failed, or strace saw no result."""
        return self.result is None or self.result < 0


class StraceLines:
    """Parse line by line; keep at most one open call per thread."""

    def __init__(self) -> None:
        self._open: dict[int, StraceLine] = {}
        self._origin_ns: int | None = None
        #: the recording has times
        self.timed = False

    def parse(self, number: int, line: bytes) -> StraceLine:
        """Parse line `number`; a RETURN has the arguments, start and number of its entry.

        Raises:
            ForeignLineError: strace did not print this line.
            ValueError: it is the rest of a call that never began, or breaks off.
        """
        head = _HEAD.match(line)
        assert head is not None  # every part of it may be missing
        tid = int(head[1] or head[2] or LONE_TID)
        now_ns = self._now_ns(head)
        rest = line[head.end() :].rstrip()
        if rest.startswith(b"<... "):
            return self._resumed(tid, now_ns, rest)
        if rest.startswith(b"+++ ") and _ENDED.match(rest):
            self._open.pop(tid, None)
            return StraceLine(Step.EXIT, tid, number, now_ns)
        if rest.startswith(b"--- ") and _SIGNAL.match(rest):
            return StraceLine(Step.SIGNAL, tid, number, now_ns)
        return self._call(number, tid, now_ns, rest)

    def _call(self, number: int, tid: int, now_ns: int, rest: bytes) -> StraceLine:
        name, bracket, args = rest.partition(b"(")
        if not bracket or not _NAME.fullmatch(name):
            raise ForeignLineError
        if args.endswith(_UNFINISHED):
            entry = StraceLine(
                Step.ENTRY, tid, number, now_ns, name=name.decode(), args=args[:-16].rstrip()
            )
            self._open[tid] = entry
            return entry
        args, result, duration_ns = _outcome(args)
        # a whole call ends an open one, which will never return
        self._open.pop(tid, None)
        return StraceLine(
            Step.CALL, tid, number, now_ns, now_ns + duration_ns, name.decode(), args, result
        )

    def _resumed(self, tid: int, now_ns: int, rest: bytes) -> StraceLine:
        resumed = _RESUMED.match(rest)
        if resumed is None:
            raise ForeignLineError
        entry = self._open.pop(tid, None)
        if entry is None or entry.name.encode() != resumed[1]:
            raise ValueError("the rest of a call that never began")
        args, result, duration_ns = _outcome(rest[resumed.end() :])
        return StraceLine(
            Step.RETURN,
            tid,
            entry.number,
            entry.start_ns,
            max(now_ns, entry.start_ns + duration_ns),
            entry.name,
            entry.args + args,
            result,
        )

    def _now_ns(self, head: re.Match[bytes]) -> int:
        """Return the time of a line since the first line that has one."""
        if head[3] is not None:
            seconds, fraction = int(head[3]), head[4]
        elif head[5] is not None:
            seconds = (int(head[5]) * 60 + int(head[6])) * 60 + int(head[7])
            fraction = head[8] or b"0"
        else:
            return 0
        now_ns = seconds * 1_000_000_000 + _fraction_ns(fraction)
        if self._origin_ns is None:
            self._origin_ns, self.timed = now_ns, True
        return max(0, now_ns - self._origin_ns)


def _fraction_ns(digits: bytes) -> int:
    return int(digits.ljust(9, b"0"))


def _outcome(text: bytes) -> tuple[bytes, int | None, int]:
    """Split `args) = result <duration>` into arguments, result and duration in ns."""
    before, equals, after = text.rpartition(b" = ")
    before = before.rstrip()
    if not equals or not before.endswith(b")"):
        raise ValueError("a call without a result")
    duration = _DURATION.search(after)
    duration_ns = 0
    if duration is not None:
        duration_ns = int(duration[1]) * 1_000_000_000 + _fraction_ns(duration[2])
    word = after.split(None, 1)[0] if after.strip() else b"?"
    result = None if word == b"?" else int(word, 0)
    if result is not None and not -_NUMBER_LIMIT < result < _NUMBER_LIMIT:
        raise ValueError("an impossible result")
    return before[:-1], result, duration_ns
