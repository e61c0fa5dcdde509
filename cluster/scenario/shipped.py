"""What ships with holezero, and reading TOML: scenarios, workloads, cost profiles."""

import re
import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from cluster.input_error import InputError

#: one step of a path in an error of msgspec: .key, or [index]
_STEP = re.compile(r"\.[A-Za-z0-9_-]+|\[\d+\]")
_SHOWN = 60


def shipped(kind: str, suffix: str) -> dict[str, Path]:
    """Return the shipped files of a kind (`scenarios`, `profiles`, `workloads`) by name."""
    folder = Path(str(files("cluster") / "shipped" / kind))
    return {p.name.removesuffix(suffix): p for p in sorted(folder.glob(f"*{suffix}"))}


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: missing, unreadable, not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: is not a TOML file: {e}") from e


def nearest(message: str, names: list[str]) -> str:
    """Return a hint if the message is about an unknown key: the known one that it resembles."""
    if "unknown field" not in message:
        return ""
    word = message.split("`")[1]
    close = get_close_matches(word, names, 1)
    return f"; did you mean `{close[0]}`?" if close else f"; known are {', '.join(names)}"


def problem_text(error: msgspec.ValidationError, data: object) -> str:
    """Return which key of `data` is wrong, its value, and what is wrong with it."""
    text, at, path = str(error).partition(" - at `$")
    if not at or "unknown field" in text:
        return str(error)
    names = _STEP.findall(path)
    for name in names:
        data = data[name[1:] if name.startswith(".") else int(name[1:-1])]  # type: ignore[index]
    key = "".join(names).lstrip(".")
    shown = f"{data!r}"
    return f"{key}={shown if len(shown) < _SHOWN else shown[:_SHOWN] + '...'}: {text}"
