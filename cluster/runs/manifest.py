"""The manifest of a run: everything that is needed to run it again.

`holezero run DIR/manifest.json` does so: the scenario in it is resolved (every key of the policy,
the cost profile, the workload by path and digest), so defaults that change do not change it.
"""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import msgspec

from cluster.hosts.model import MODEL, release
from cluster.input_error import InputError
from cluster.results.json_text import json_text
from cluster.scenario.scenario import Scenario
from cluster.scenario.setup import Setup
from kernel.costs import Profile

SCHEMA = "holezero-manifest"
VERSION = 1
_DEPENDENCIES = ("click", "msgpack", "msgspec", "prometheus-client", "ray", "rich", "zstandard")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What ran, on what, and how it was asked for."""

    schema: str = SCHEMA
    version: int = VERSION
    model: int = MODEL
    name: str
    engine: Literal["inline", "ray-free"]
    preset: str
    seed: int
    limit_ops: int | None
    trace: Literal["full", "order", "off"]
    check: bool
    #: hexadecimal
    workload_digest: str
    command: list[str]
    versions: dict[str, str]
    platform: str
    scenario: dict[str, Any]
    #: the cost profile itself: the scenario only names it
    profile: Profile


def resolved(setup: Setup) -> dict[str, Any]:
    """Give the scenario with every default written out and the workload's path made absolute."""
    scenario = setup.scenario
    if scenario.workload.file:
        path = str(Path(scenario.workload.file).absolute())
        table = msgspec.structs.replace(scenario.workload, file=path)
        scenario = msgspec.structs.replace(scenario, workload=table)
    builtins: dict[str, Any] = msgspec.to_builtins(scenario)
    policy = msgspec.to_builtins(setup.settings.policy)
    builtins["policy"] = {"preset": setup.preset, **policy}
    return builtins


def versions() -> dict[str, str]:
    """Give the versions of Python, holezero and what it depends on, as installed."""
    found = {"python": platform.python_version(), "holezero": release()}
    for name in _DEPENDENCIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def encode(manifest: Manifest) -> bytes:
    """Give the bytes of the file."""
    return json_text(manifest) + b"\n"


def read(path: Path) -> tuple[Manifest, Scenario]:
    """Read a manifest and the scenario in it.

    Raises:
        InputError: it is none, or of another version.
    """
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        scenario = msgspec.convert(manifest.scenario, Scenario)
    except OSError as e:
        raise InputError(f"{path}: can not be read: {e.strerror}.") from e
    except msgspec.MsgspecError as e:
        raise InputError(f"{path}: is no manifest of a run: {e}") from e
    if (manifest.schema, manifest.version) != (SCHEMA, VERSION):
        raise InputError(
            f"{path}: is a {manifest.schema!r} of version {manifest.version}; this holezero reads "
            f"a {SCHEMA!r} of version {VERSION}"
        )
    return manifest, scenario
