"""Which machines these are: a trace replays only on machines that behave as its own did."""

from importlib.metadata import PackageNotFoundError, version

#: Bump when a machine answers a message otherwise than before, sends other bytes or sends them in
#: another order. What only reads runs (reports, properties, text) leaves it alone.
MODEL = 4

#: model -> the last release of holezero whose machines are that model
RELEASES = {1: "0.1", 2: "0.2"}


def release() -> str:
    """Return the version of this holezero, as installed."""
    try:
        return version("holezero")
    except PackageNotFoundError:
        return "0+not-installed"


def release_for(model: int, recorded_by: str) -> str:
    """Name the release that replays a model: the last one known, else the one that recorded."""
    return RELEASES.get(model, recorded_by)
