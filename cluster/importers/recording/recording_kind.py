"""Tell recordings from other files, and one kind of recording from the other."""

import re
from pathlib import Path

from cluster.importers.recording.lines import RecordingLines
from cluster.input_error import InputError

#: a file of whose first lines none is understood is not a recording of that kind ...
SAMPLE_LINES = 1000
#: ... nor is one of which fewer lines in a hundred are understood
_LEAST_PERCENT = 1

_LOOKS = {
    "faults": re.compile(rb"\d+ \d+ [NFKSRTPEQ]( |$)"),
    "strace": re.compile(rb"(\[pid +\d+\] |\d+ +)?([\d.:]+ )?([a-z_0-9]+\(|<\.\.\. |\+\+\+ |--- )"),
}
_EXPECTED = {
    "faults": "lines such as `115 16512 F 7f16bc53ab70 14`",
    "strace": "lines such as `16512 1795370417.184622 munmap(0x7f16bc53a000, 4096) = 0 <0.00001>`",
}


def require_recording(path: Path, kind: str, recognised: int, read: RecordingLines) -> None:
    """Check that enough of the lines read so far were understood.

    Raises:
        InputError: the file is not a recording of this kind; the message guesses what it is.
    """
    if recognised and recognised * 100 >= read.lines * _LEAST_PERCENT:
        return
    message = f"{path}: not a {kind} recording: of {read.lines:,} lines {recognised:,} make sense"
    if read.truncated:
        message += ", and its compression is damaged"
    other = kind_of(path)
    if other is None or other == kind:
        raise InputError(f"{message}. Expected {_EXPECTED[kind]}.")
    raise InputError(
        f"{message}. It looks like a recording of {other}: try `holezero import {other}`."
    )


def kind_of(path: Path) -> str | None:
    """Guess from its first lines which kind of recording a file is; None: it is none.

    Raises:
        InputError: it cannot be read.
    """
    hits = dict.fromkeys(_LOOKS, 0)
    recording = RecordingLines(path, lambda _done: None)
    for line in recording:
        for kind, look in _LOOKS.items():
            hits[kind] += bool(look.match(line))
        if recording.lines >= SAMPLE_LINES:
            break
    best = max(hits, key=lambda kind: hits[kind])
    return best if hits[best] else None
