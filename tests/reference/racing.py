"""Random guests whose threads race: two or three of one process, at the same one or two pages."""

from random import Random

from tests.reference.guests import Guest

_SHAPES = (((0, 0), (0, 1)), ((0, 0), (0, 1)), ((0, 0), (0, 1), (0, 2)), ((0, 0), (0, 1), (0, 0)))
_CALLS = {
    "store": 10, "load": 10, "hole": 10, "zero": 10, "release": 3, "reuse": 3, "dontneed": 6,
    "free": 2, "protect": 6, "unmap": 4, "map": 4, "fence": 2,
}  # fmt: skip
_TOUCHES = {"store": 10, "load": 10, "fence": 1}


def drawn(name: str) -> Guest:
    """Draw one guest by its name; what comes after `create` is in no order between threads."""
    random = Random(name)
    threads = random.choice(_SHAPES)
    pages = random.choice((1, 1, 2))
    order = [(0, f"map 1 {pages}")]
    order += [(0, _line(random, _CALLS, pages)) for _ in range(random.randint(0, 2))]
    order += [(0, f"create {other}") for other in range(1, len(threads))]
    for thread in range(len(threads)):
        weights = _TOUCHES if thread and random.random() < 0.6 else _CALLS
        count = random.randint(2, 5 if weights is _CALLS else 8)
        order += [(thread, _line(random, weights, pages)) for _ in range(count)]
    alone = ((),) * len(order)  # nothing awaits anything
    return Guest(name, threads, tuple(order), alone, fences=False)


def _line(random: Random, weights: dict[str, int], pages: int) -> str:
    (verb,) = random.choices(list(weights), list(weights.values()))
    page = random.randint(1, pages)
    if verb in ("load", "store"):
        return f"{verb} {page}.{random.choice((0, 200))}"
    if verb == "fence":
        return verb
    last = f" {random.choice(('none', 'r', 'rw', 'rw'))}" if verb == "protect" else ""
    return f"{verb} {page} 1{last}"
