"""`holezero calibrate`: profiles against published measurements, and a profile of this machine."""

from pathlib import Path

import click

from cluster.commands import exit_codes
from cluster.commands.given import names
from cluster.input_error import InputError


@click.command("calibrate", short_help="Check cost profiles, or measure this machine.")
@click.option("--check", "checks", is_flag=True, help="Run the experiments V1 to V6 on profiles.")
@click.option("--host", is_flag=True, help="Measure this Linux machine and write a profile.")
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    shell_complete=names.profiles,
    show_default="all that ship",
    help="With --check: a shipped profile or a TOML file; may be given several times.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --host: where the profile goes; without, to standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="With --check: print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def calibrate_command(
    context: click.Context,
    /,
    *,
    checks: bool,
    host: bool,
    profiles: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare cost profiles with published measurements, or measure this machine.

    --check runs small programs on simulated machines and holds what they cost against what was
    measured on real ones. A figure speaks for machines of some profiles: on the others it is not
    run. --host measures this Linux machine (some seconds, no root, a C compiler) and writes a cost
    profile: what can be measured here, the rest from x86-ipi, the source beside each value.

    \b
    holezero calibrate --check
    holezero calibrate --host -o my-machine.toml
    holezero compare main-job --set machine.profile=my-machine.toml

    Exit codes: 0 within tolerance, 1 something is not, 2 bad input, or it cannot be measured.
    """  # noqa: D301 - click's mark for lines that stay as they are
    if checks == host:
        raise InputError("calibrate: give either --check or --host")
    _refuse_idle(checks=checks, profiles=profiles, output=output, as_json=as_json)
    if host:
        _measure(output, quiet=quiet)
        return
    from cluster.calibration.experiments import check
    from cluster.commands.output.calibration import NOTHING_SPEAKS, print_findings
    from cluster.results.json_text import json_text
    from cluster.scenario.profile import load_profile
    from cluster.scenario.shipped import shipped

    names = profiles or shipped("profiles", ".toml")
    findings = [finding for name in names for finding in check(load_profile(name))]
    if as_json:
        click.echo(json_text({"findings": findings}))
    else:
        print_findings(findings)
    if all(one.within is None for one in findings):
        click.echo(NOTHING_SPEAKS, err=True)
    outside = any(one.within is False for one in findings)
    context.exit(exit_codes.VIOLATED if outside else 0)


def _refuse_idle(
    *, checks: bool, profiles: tuple[str, ...], output: Path | None, as_json: bool
) -> None:
    """Refuse options that the chosen half does not know."""
    if checks and output is not None:
        raise InputError("calibrate: --output goes with --host")
    if not checks and (profiles or as_json):
        raise InputError("calibrate: --profile and --json go with --check")


def _measure(output: Path | None, *, quiet: bool) -> None:
    from cluster.calibration.host_profile import measure_host

    def tell(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    text = measure_host(tell)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InputError(f"--output {output}: cannot be written: {e.strerror}") from e
    tell(f"written: {output}; use it with --set machine.profile={output}")
