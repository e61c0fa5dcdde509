"""`holezero policies`: what the variants of the protocol do, promise and leave open."""

from difflib import get_close_matches

import click

from cluster.commands.given import names
from cluster.input_error import InputError


@click.command("policies", short_help="List the policies, or explain one, or a key.")
@click.argument("name", required=False, shell_complete=names.policies)
def policies_command(name: str | None) -> None:
    """List the policies (variants of the protocol), or explain one, or one of their keys.

    Any key of a policy can be changed by `--set key=value`; combinations that make no sense are
    refused with the reason.

    \b
    holezero policies
    holezero policies fatal-hole
    holezero policies invalidate
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.output.policies import explain_key, explain_policy, list_policies
    from kernel.policy.presets import PRESETS
    from kernel.policy.texts import KEY_ABOUT

    if name is None:
        list_policies()
    elif name in KEY_ABOUT:
        explain_key(name)
    elif name in PRESETS:
        explain_policy(name)
    else:
        close = get_close_matches(name, [*PRESETS, *KEY_ABOUT], 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PRESETS)}"
        raise InputError(f"no policy or key {name!r}; {hint}")
