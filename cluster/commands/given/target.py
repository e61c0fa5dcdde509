"""What a user names to be run: a scenario, a workload or a manifest, as a path or by name."""

from difflib import get_close_matches
from pathlib import Path

import msgspec

from cluster.input_error import InputError
from cluster.runs import manifest
from cluster.runs.manifest import Manifest
from cluster.scenario.scenario import Scenario, load, override
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped

_SUFFIXES = (".toml", ".hzw", ".json")


class Target(msgspec.Struct, frozen=True):
    """A scenario that was found, before presets and settings are applied to it."""

    name: str
    scenario: Scenario
    #: for messages: the file
    where: str
    #: the run that is to be made again
    kept: Manifest | None = None

    def setup(self, settings: list[str], preset: str | None, seed: int | None) -> Setup:
        """Apply what the command line says on top and make it ready to run.

        Raises:
            InputError: something in it is impossible, or the guest is not the manifest's.
        """
        given = list(settings)
        if seed is not None:
            given.append(f"run.seed={seed}")
        scenario = override(self.scenario, given, preset)
        kept = self.kept
        if kept is None:
            return prepare(scenario, self.where)
        same = scenario.machine.profile == self.scenario.machine.profile
        ready = prepare(scenario, self.where, profile=kept.profile if same else None)
        if ready.guest.digest.hex() != kept.workload_digest:
            raise InputError(
                f"{self.where}: the workload {scenario.workload.file} has changed since "
                f"(digest {ready.guest.digest.hex()}, then {kept.workload_digest})"
            )
        return ready


def find(text: str) -> Target:
    """Find what `text` names: an existing file, else a shipped scenario or workload.

    Raises:
        InputError: there is no such thing, or it is something else; names what there is.
    """
    path = Path(text)
    if path.is_dir() and (path / "manifest.json").is_file():
        path /= "manifest.json"
    if path.is_file():
        return _of_file(path)
    scenarios, workloads = shipped("scenarios", ".toml"), shipped("workloads", ".hzw")
    found = scenarios.get(text) or workloads.get(text)
    if found is not None:
        return Target(text, load(found), text)
    names = [*scenarios, *workloads]
    if path.is_dir():
        raise InputError(
            f"{text}: is a folder; give a scenario (.toml), a workload (.hzw) or a run"
        )
    close = get_close_matches(text, names, 1)
    hint = f"did you mean {close[0]}?" if close else f"shipped are {', '.join(names)}"
    raise InputError(
        f"{text}: there is no such file, and no scenario or workload ships by that name; {hint}"
    )


def _of_file(path: Path) -> Target:
    if path.suffix == ".json":
        kept, scenario = manifest.read(path)
        return Target(kept.name, scenario, str(path), kept)
    if path.suffix == ".trace":
        raise InputError(f"{path}: is a trace; `holezero replay {path}` runs it again")
    if path.suffix not in _SUFFIXES:
        raise InputError(
            f"{path}: give a scenario (.toml), a workload (.hzw) or a run's manifest (.json); "
            "a recording becomes a workload by `holezero import`"
        )
    return Target(path.stem, load(path), str(path))
