"""`holezero explore`: run a scenario in every order of its messages, or in many."""

from pathlib import Path

import click

from cluster.commands.given import names
from cluster.explore.choices import Dependency, Strategy
from cluster.explore.strategies.dpor import Reduction
from kernel.policy.promises import Property


@click.command("explore", short_help="Run a scenario in every order of its messages, or in many.")
@click.argument("scenario", shell_complete=names.scenarios)
@click.option(
    "--strategy",
    type=click.Choice([s.value for s in Strategy]),
    default="dpor",
    show_default=True,
    help="bfs, dfs: every state once. dpor: one order of each class that no machine can tell "
    "apart. random: orders drawn uniformly. pct: drawn such that a bug of a given depth is likely. "
    "delay: oldest message first, with few exceptions.",
)
@click.option(
    "--budget",
    default="60s",
    show_default=True,
    metavar="N|TIME",
    help="Stop after N states (bfs, dfs) or orders, or after a time: 500ms, 30s, 10m, 2h.",
)
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=names.presets,
    help="Policy, in place of the scenario's.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As for `run`.")
@click.option(
    "--grain",
    type=click.Choice(["fine", "fused"]),
    default="fine",
    show_default=True,
    help="fine: kernel code takes one step a page table entry; fused: as few as it can.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of random and pct.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="pct: how many messages have to come in a certain order.",
)
@click.option(
    "--delays",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="delay: how many messages are put off at most.",
)
@click.option(
    "--reduction",
    type=click.Choice([r.value for r in Reduction]),
    default="optimal",
    show_default=True,
    help="dpor: wakeup trees (optimal), source sets with sleep sets, or every single order.",
)
@click.option(
    "--dependency",
    type=click.Choice([d.value for d in Dependency]),
    default="receiver",
    show_default=True,
    help="dpor: whether all deliveries to one machine depend on one another, or only those that "
    "touch the same frame or page: fewer orders, but no proof.",
)
@click.option(
    "--symmetry",
    is_flag=True,
    help="bfs, dfs: states that differ only in which of several identical cores did what count "
    "once. Fewer states, no less time.",
)
@click.option(
    "--promise",
    "also_promised",
    multiple=True,
    type=click.Choice([p.value for p in Property]),
    help="Judge as if the policy promised that too: is there an order that breaks it?",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the search there, twice a minute and at its end; go on with what is there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Share the search among so many processes, on Ray: same counts, and from bfs, random, pct "
    "and delay also the same paths.",
)
@click.option("--all", is_flag=True, help="Go on after the first broken promise.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to keep what came of it; by default a new folder under runs/ if anything is found.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def explore_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario in every order in which its messages may arrive, or in many of them.

    SCENARIO is what `holezero run` takes; a small one: two cores and a few calls have thousands of
    orders, and every call more multiplies them. Simulated time plays no part: timers come early or
    late (with --set machine.tlb_life_ns=1 entries leave a TLB by timers, too). An order that breaks
    a promise is kept as a trace that replays.

    \b
    holezero explore hazard-free-before-acks
    holezero explore one-page --strategy bfs --preset flag-only
    holezero explore my.toml --strategy pct --depth 4 --budget 10m
    holezero explore my.toml --strategy bfs --budget 8h --checkpoint my.search
    holezero replay runs/latest

    Exit codes: 0 every order keeps all promises, 1 one does not, 2 bad input, 5 nothing was found,
    which proves nothing: the budget was spent, or the strategy does not run every order (random,
    pct, delay), 130 interrupted: what was found until then is kept.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.actions.searching import search_orders

    context.exit(search_orders(scenario, given))
