"""A search on disk: what is needed to go on with it after it was stopped or killed.

A mark, a checksum, and one msgpack map, replaced as a whole. It goes on only with what it was made
of: the same machines, guest, promises and choices. Nothing in it is evaluated; states are made anew
from the paths to them.
"""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import msgspec

from cluster.explore.choices import Chosen
from cluster.explore.strategies.dpor import SavedTraces
from cluster.explore.strategies.orders import Orders
from cluster.explore.strategies.stateful import SavedStates
from cluster.explore.strategy_api import Broken
from cluster.hosts.model import MODEL
from cluster.input_error import InputError
from cluster.runs.run_directory import write_atomically
from cluster.scenario.setup import Setup
from cluster.trace.format import config_digest

VERSION = 3
_MARK = b"holezero-search\n"
_CHECKSUM = 16
_MAX_BYTES = 4 << 30


class SavedOrders(msgspec.Struct, frozen=True):
    """Orders that were made one by one, and where their scheduler is."""

    orders: Orders
    scheduler: list[int]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    version: int = VERSION
    model: int = MODEL
    chosen: Chosen
    config_digest: bytes
    workload_digest: bytes
    #: what was judged as if the policy promised it
    also_promised: list[str] = []
    states: SavedStates | None = None
    traces: SavedTraces | None = None
    orders: SavedOrders | None = None

    @property
    def deliveries(self) -> int:
        """Count what was delivered until then."""
        if self.states is not None:
            return self.states.result.transitions
        if self.traces is not None:
            return self.traces.traces.deliveries
        return 0 if self.orders is None else self.orders.orders.deliveries


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
        #: it could not be written; nothing is kept from then on
        self.failed: InputError | None = None
        self._blank = Checkpoint(
            chosen=_unlimited(chosen),
            config_digest=config_digest(setup),
            workload_digest=setup.guest.digest,
            also_promised=sorted(setup.also_promised),
        )
        #: the search to go on with, if there was one
        self.found = self._read() if path.exists() else None

    def _read(self) -> Checkpoint:
        path = self.path
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise InputError(f"{path}: is larger than any search that holezero keeps")
            data = path.read_bytes()
        except OSError as e:
            raise InputError(f"{path}: {e.strerror}") from e
        mark, rest = data[: len(_MARK)], data[len(_MARK) :]
        checksum, packed = rest[:_CHECKSUM], rest[_CHECKSUM:]
        if mark != _MARK or checksum != _checksum(packed):
            raise InputError(
                f"{path}: is no checkpoint of a search, or damaged: delete it to begin anew"
            )
        try:
            found = msgspec.msgpack.decode(packed, type=Checkpoint)
        except msgspec.DecodeError as e:
            raise InputError(f"{path}: is no checkpoint of this holezero: {e}") from e
        if (found.version, found.model) != (VERSION, MODEL):
            raise InputError(
                f"{path}: was kept by machines of model {found.model} (file version "
                f"{found.version}); these are {MODEL} ({VERSION}): delete it to begin anew"
            )
        same = (found.config_digest, found.workload_digest) == (
            self._blank.config_digest,
            self._blank.workload_digest,
        )
        options = (found.chosen, found.also_promised)
        if not same or options != (self._blank.chosen, self._blank.also_promised):
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
        """Replace the file; the search goes on where that fails, as what it finds is kept apart."""
        if self.failed is not None:
            return
        packed = msgspec.msgpack.encode(checkpoint)
        try:
            write_atomically(self.path, _MARK + _checksum(packed) + packed)
        except InputError as e:
            self.failed = e


def _checksum(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_CHECKSUM).digest()


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
