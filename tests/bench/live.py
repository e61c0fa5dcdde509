"""Live runs on Ray: start-up, deliveries a second, batch sizes, and how many orders really happen.

    .venv/bin/python tests/bench/live.py SCENARIO [RUNS]

Every run is replayed. Two runs are of one class when every receiver got the same sequence of
(sender, lane): then they have the same happens-before. Rates are of this machine, in this minute.
"""

import sys
import tempfile
from hashlib import blake2b
from pathlib import Path

from actors.message import Message
from cluster.live.launch import run_live
from cluster.replay.replaying import replay
from cluster.scenario.scenario import load
from cluster.scenario.setup import prepare
from cluster.scenario.shipped import shipped


class Order:
    """Observer: the sequence of channels at each receiver, hashed."""

    def __init__(self, actors: int) -> None:
        self.hashes = [blake2b(digest_size=8) for _ in range(actors)]

    def started(self, *_: object) -> None:
        pass

    def delivered(
        self, _when: int, dst: int, src: int, _seq: int, message: Message, _effects: object
    ) -> None:
        """Take one delivery in."""
        self.hashes[dst].update(f"{src}.{message.op};".encode())

    def noted(self, *_args: object) -> None:
        """Facts do not matter."""

    def key(self) -> bytes:
        """Give the class of the run."""
        return b"".join(h.digest() for h in self.hashes)


def main(name: str, runs: int) -> None:
    """Run, replay, and print a line a run."""
    path = shipped("scenarios", ".toml").get(name, Path(name))
    setup = prepare(load(path))
    classes = set()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(runs):
            trace = Path(folder) / f"{number}.trace"
            outcome = run_live(setup, out=trace)
            order = Order(len(setup.wiring.names))
            replayed = replay(trace, observers=(order,))
            classes.add(order.key())
            print(
                f"run {number}: start-up {outcome.startup_s:.1f} s, "
                f"{outcome.deliveries:,} deliveries, {outcome.deliveries_per_s:,.0f}/s, "
                f"{outcome.messages_per_call:.2f} messages a call, "
                f"{'replays' if replayed.same else 'DIFFERS'}",
                flush=True,
            )
    print(f"{runs} runs, {len(classes)} classes of happens-before")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
