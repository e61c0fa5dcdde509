"""How facts are taken in while a run goes on: a function for each fact that some measure is fed by.

They are called for every fact of a run, so each is made for what its feed asks for, and does no
more. Counts are kept by what they are of, not by measure: measures fed by the same share them.
"""

from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from actors.facts import Fact
from cluster.results.histogram import Histogram
from cluster.results.measure import Counted, Lasted, Stood
from cluster.results.page_meter import PageMeter

#: takes a fact in that `actor` stated at a time: (when, actor, fact)
Taker = Callable[[int, int, Any], None]
#: by the value of a field (an int or a string), or None where a feed names no field: how much
Tally = defaultdict[Any, int]


def tally_taker(feed: Counted, tally: Tally) -> Taker:
    """Make what counts the facts of a feed."""
    if feed.by and feed.add:
        take = _add_by(attrgetter(feed.by, feed.add), tally)
    elif feed.by:
        take = _count_by(attrgetter(feed.by), tally)
    elif feed.add:
        take = _add(attrgetter(feed.add), tally)
    else:
        take = _count(tally)
    return _only_if(attrgetter(feed.if_any), take) if feed.if_any else take


def _add_by(both: Callable[[Fact], tuple[Any, int]], tally: Tally) -> Taker:
    def take(_when: int, _actor: int, fact: Fact) -> None:
        value, more = both(fact)
        tally[value] += more

    return take


def _count_by(value: Callable[[Fact], Any], tally: Tally) -> Taker:
    def take(_when: int, _actor: int, fact: Fact) -> None:
        tally[value(fact)] += 1

    return take


def _add(more: Callable[[Fact], int], tally: Tally) -> Taker:
    def take(_when: int, _actor: int, fact: Fact) -> None:
        tally[None] += more(fact)

    return take


def _count(tally: Tally) -> Taker:
    def take(_when: int, _actor: int, _fact: Fact) -> None:
        tally[None] += 1

    return take


def _only_if(wanted: Callable[[Fact], object], then: Taker) -> Taker:
    def take(when: int, actor: int, fact: Fact) -> None:
        if wanted(fact):
            then(when, actor, fact)

    return take


def once_takers(feed: Counted, tally: Tally) -> tuple[Taker, Taker]:
    """Make what counts a value once a call, and what takes the end of the call."""
    value, wanted = attrgetter(feed.by), attrgetter(feed.if_any)
    #: what the call in flight of each lane has shown
    showed: dict[int, list[Any]] = {}

    def take(_when: int, _actor: int, fact: Fact) -> None:
        if not wanted(fact):
            return
        now, before = value(fact), showed.get(fact.op)
        if before is None:
            showed[fact.op] = [now]
        elif now in before:
            return
        else:
            before.append(now)
        tally[now] += 1

    def end(_when: int, _actor: int, fact: Fact) -> None:
        showed.pop(fact.op, None)

    return take, end


def lasted_takers(feed: Lasted, durations: dict[Any, Histogram]) -> tuple[Taker, Taker]:
    """Make what takes the beginning and the end of what lasts; by `by`, or None."""
    value = attrgetter(feed.by) if feed.by else None
    more = attrgetter(feed.more) if feed.more else None
    since: dict[int, int] = {}

    def start(when: int, _actor: int, fact: Fact) -> None:
        since[fact.op] = when

    def end(when: int, _actor: int, fact: Fact) -> None:
        lasted = when - since.pop(fact.op)
        if more is not None:
            lasted += more(fact)
        kind = None if value is None else value(fact)
        known = durations.get(kind)
        if known is None:
            known = durations[kind] = Histogram()
        known.add(lasted)

    return start, end


def level_taker(feed: Stood, meter: PageMeter) -> Taker:
    """Make what follows a level."""
    change = meter.change
    at = attrgetter(feed.at)
    if not feed.part:

        def take_of_actor(when: int, actor: int, fact: Fact) -> None:
            change(when, actor, at(fact))

        return take_of_actor
    both = attrgetter(feed.part, feed.at)

    def take(when: int, _actor: int, fact: Fact) -> None:
        part, level = both(fact)
        change(when, part, level)

    return take
