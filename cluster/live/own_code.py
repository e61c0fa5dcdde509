"""Whose code a process imports: live actors must run the driver's.

PyPI has packages that ship modules named `kernel`, `actors` and `cluster`, and another node may
have another holezero; both would fail late and in strange ways.
"""

from hashlib import blake2b
from pathlib import Path

import msgspec

import actors
import cluster
import kernel

_PACKAGES = (kernel, actors, cluster)


class OwnCode(msgspec.Struct, frozen=True):
    """What a process imports: where each package comes from, and a digest of its sources."""

    places: dict[str, str]
    digests: dict[str, str]


def own_code() -> OwnCode:
    """Describe what this process imports, by reading every source file of the packages."""
    places, digests = {}, {}
    for package in _PACKAGES:
        home = Path(str(package.__file__)).parent
        content = blake2b(digest_size=8)
        for path in sorted(home.rglob("*.py")):
            content.update(path.relative_to(home).as_posix().encode() + b"\0")
            content.update(path.read_bytes() + b"\0")
        places[package.__name__] = str(home)
        digests[package.__name__] = content.hexdigest()
    return OwnCode(places, digests)


def why_other_code(here: OwnCode, driver: OwnCode) -> str:
    """Return which imported code is not the driver's; empty if all of it is."""
    return "; ".join(
        f"package `{name}` comes from {here.places[name]}, which holds other code than the "
        f"driver's {driver.places[name]}"
        if here.places[name] != driver.places[name]
        else f"the files of package `{name}` in {here.places[name]} changed meanwhile, or are "
        "others on its node"
        for name in driver.digests
        if here.digests.get(name) != driver.digests[name]
    )
