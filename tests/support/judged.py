"""A run in simulated time, to its end, and what the checker says of it."""

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.scenario.setup import Setup


def judged(setup: Setup) -> Checker:
    """Run inline to rest."""
    machines = build(setup.wiring, setup.settings, setup.guest)
    checker = Checker(setup)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(checker,))
    host.start()
    assert host.run()
    checker.finish(complete=True)
    return checker
