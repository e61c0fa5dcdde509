"""Cost profiles: read, checked, and with single values changed to ask "what if"."""

from pathlib import Path

import msgspec

from cluster.input_error import InputError
from cluster.scenario.shipped import nearest, problem_text, read_toml, shipped
from kernel.costs import Costs, Latencies, Profile


def profile_path(name: str) -> Path:
    """Return the path of a cost profile: a shipped one by name, or a file.

    Raises:
        InputError: there is none.
    """
    known = shipped("profiles", ".toml")
    path = known.get(name, Path(name))
    if name not in known and not path.exists():
        raise InputError(
            f"no cost profile {name!r}: shipped are {', '.join(known)}, or give a file"
        )
    return path


def load_profile(name: str) -> Profile:
    """Read a cost profile: a shipped one by name, or a file.

    Raises:
        InputError: there is none, or it is not a cost profile; names the key.
    """
    path = profile_path(name)
    data = read_toml(path)
    try:
        profile: Profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError as e:
        raise InputError(f"{path}: {problem_text(e, data)}{_nearest(str(e))}") from e
    known = shipped("profiles", ".toml")
    if profile.like and profile.like not in known:
        raise InputError(f"{path}: like={profile.like!r} is no shipped profile: {', '.join(known)}")
    return profile


def values(profile: Profile) -> list[tuple[str, str, int]]:
    """List the table, key and value of everything in a profile, in order."""
    return [
        (table, key, value)
        for table in ("costs", "latencies")
        for key, value in msgspec.structs.asdict(getattr(profile, table)).items()
    ]


def adjusted(
    profile: Profile, costs: dict[str, int], latencies: dict[str, int], where: str
) -> Profile:
    """Return the profile with `[costs]` and `[latencies]` applied on top."""
    data = msgspec.to_builtins(profile)
    data["costs"].update(costs)
    data["latencies"].update(latencies)
    try:
        changed: Profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError as e:
        raise InputError(f"{where}: {problem_text(e, data)}{_nearest(str(e))}") from e
    return changed


#: keys of older versions, and what takes their place
_GONE = {"full_flush_pages": "how much is flushed is the kernel's rule: machine.kernel"}


def _nearest(message: str) -> str:
    for key, instead in _GONE.items():
        if f"`{key}`" in message:
            return f"; it is gone: {instead}"
    return nearest(message, [*Costs.__struct_fields__, *Latencies.__struct_fields__])
