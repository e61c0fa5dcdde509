"""Cost profiles: read, checked, and with single values changed to ask "what if"."""

from pathlib import Path

import msgspec

from cluster.input_error import InputError
from cluster.shipped import nearest, read_toml, shipped, told
from kernel.costs import Profile


def load_profile(name: str) -> Profile:
    """Read a cost profile: a shipped one by name, or a file."""
    known = shipped("profiles", ".toml")
    path = known.get(name, Path(name))
    if name not in known and not path.exists():
        raise InputError(
            f"no cost profile {name!r}: shipped are {', '.join(known)}, or give a file"
        )
    data = read_toml(path)
    try:
        profile: Profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError as e:
        raise InputError(f"{path}: {told(e, data)}") from e
    return profile


def adjusted(
    profile: Profile, costs: dict[str, int], latencies: dict[str, int], where: str
) -> Profile:
    """Apply `[costs]` and `[latencies]` on top of the profile."""
    data = msgspec.to_builtins(profile)
    data["costs"].update(costs)
    data["latencies"].update(latencies)
    try:
        changed: Profile = msgspec.convert(data, Profile)
    except msgspec.ValidationError as e:
        names = [*profile.costs.__struct_fields__, *profile.latencies.__struct_fields__]
        raise InputError(f"{where}: {told(e, data)}{nearest(str(e), names)}") from e
    return changed
