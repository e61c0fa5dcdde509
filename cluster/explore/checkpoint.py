"""A search on disk: what is needed to go on with it after it was stopped or killed.

One msgpack map, replaced as a whole. It goes on only with what it was made of: the same machines,
guest and choices. Nothing in it is evaluated; states are made anew from the paths to them.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from cluster.explore.choices import Chosen
from cluster.explore.dpor import SavedTraces
from cluster.explore.orders import Orders
from cluster.explore.run import Broken
from cluster.explore.stateful import SavedStates
from cluster.input_error import InputError
from cluster.model import MODEL
from cluster.run_directory import write_atomically
from cluster.setup import Setup
from cluster.trace import config_digest

SCHEMA = "holezero-search"
VERSION = 1
_MAX_BYTES = 4 << 30


class SavedOrders(msgspec.Struct, frozen=True):
    """Orders that were made one by one, and where their scheduler is."""

    orders: Orders
    scheduler: list[int]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    schema: str = SCHEMA
    version: int = VERSION
    model: int = MODEL
    chosen: Chosen
    config_digest: bytes
    workload_digest: bytes
    states: SavedStates | None = None
    traces: SavedTraces | None = None
    orders: SavedOrders | None = None


class Keeper:
    """Keeps one search in a file, as often as `due` says so."""

    def __init__(
        self, path: Path, setup: Setup, chosen: Chosen, due: Callable[[], bool] = lambda: True
    ) -> None:
        """Take a file that is there up; see `found`.

        Raises:
            InputError: it can not be read, is none, or of another search.
        """
        self.path = path
        self._due = due
        self._blank = Checkpoint(
            chosen=_unlimited(chosen),
            config_digest=config_digest(setup),
            workload_digest=setup.guest.digest,
        )
        #: the search to go on with, if there was one
        self.found = self._read() if path.exists() else None

    def _read(self) -> Checkpoint:
        path = self.path
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise InputError(f"{path}: is larger than any search that holezero keeps")
            found = msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
        except OSError as e:
            raise InputError(f"{path}: {e.strerror}") from e
        except msgspec.DecodeError as e:
            raise InputError(f"{path}: is no checkpoint of a search, or damaged: {e}") from e
        if (found.schema, found.version, found.model) != (SCHEMA, VERSION, MODEL):
            raise InputError(
                f"{path}: was kept by machines of model {found.model} (file version "
                f"{found.version}); these are {MODEL} ({VERSION}): delete it to begin anew"
            )
        same = (found.config_digest, found.workload_digest) == (
            self._blank.config_digest,
            self._blank.workload_digest,
        )
        if not same or found.chosen != self._blank.chosen:
            what = "with other options" if same else "of another scenario or policy"
            raise InputError(f"{path}: is a search {what}: delete it, or give another file")
        for part in (found.states, found.traces, found.orders):
            if part is not None:
                _make_tuples(part)
        return found

    def states(self, save: Callable[[], SavedStates], *, now: bool = False) -> None:
        """Keep a search over states, if it is due."""
        if now or self._due():
            self._write(msgspec.structs.replace(self._blank, states=save()))

    def traces(self, save: Callable[[], SavedTraces], *, now: bool = False) -> None:
        """Keep a search over traces, if it is due."""
        if now or self._due():
            self._write(msgspec.structs.replace(self._blank, traces=save()))

    def orders(self, save: Callable[[], SavedOrders], *, now: bool = False) -> None:
        """Keep a search over orders, if it is due."""
        if now or self._due():
            self._write(msgspec.structs.replace(self._blank, orders=save()))

    def _write(self, checkpoint: Checkpoint) -> None:
        write_atomically(self.path, msgspec.msgpack.encode(checkpoint))


def _make_tuples(part: SavedStates | SavedTraces | SavedOrders) -> None:
    """Make the channels of paths tuples again, which msgpack does not tell from lists."""
    if isinstance(part, SavedStates):
        found = part.result.found
    else:
        found = part.traces.found if isinstance(part, SavedTraces) else part.orders.found
    found[:] = [Broken(one.promise, tuple(map(tuple, one.path))) for one in found]


def _unlimited(chosen: Chosen) -> Chosen:
    """Leave out what may differ when a search goes on: how far."""
    return msgspec.structs.replace(chosen, budget=None)
