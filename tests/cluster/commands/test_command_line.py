"""The top of the command line: what it says without importing a machine, and its completion."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem

from cluster.commands.command_line import COMMANDS, command_line
from tests.support.places import ROOT

CONTEXT = click.Context(command_line, info_name="holezero")
#: rooms and libraries that only a command that runs may need
HEAVY = ("actors", "kernel", "dashboards", "ray", "msgspec", "rich", "prometheus_client")
#: what the help of a command may import besides: values that its options may have
LIGHT_HELP = {
    "explore": ("kernel", "msgspec"),
    "corpus": ("actors", "kernel", "msgspec"),
    "hunt": ("msgspec",),
    "import": ("msgspec",),
    "shrink": ("msgspec",),
}


def command(name: str) -> click.Command:
    found = command_line.get_command(CONTEXT, name)
    assert found is not None
    return found


def imported(*arguments: str, code: int = 0) -> set[str]:
    """Run a command in a process of its own; return what it imported."""
    program = (
        "import json, sys\n"
        "from cluster.__main__ import main\n"
        f"assert main({list(arguments)!r}) == {code}\n"
        "print()\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def heavy(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & set(HEAVY)


def completions(*words: str) -> list[CompletionItem]:
    *before, typed = words
    shell = BashComplete(command_line, {}, "holezero", "_HOLEZERO_COMPLETE")
    return shell.get_completions(before, typed)


def complete(*words: str) -> list[str]:
    return [item.value for item in completions(*words)]


# What is known of commands without importing them.


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_they_say(name: str) -> None:
    found = command(name)
    assert found.name == name
    assert found.short_help == COMMANDS[name].short_help


def test_commands_are_listed_by_name() -> None:
    assert list(COMMANDS) == sorted(COMMANDS) == command_line.list_commands(CONTEXT)
    modules = {path.stem for path in (ROOT / "cluster" / "commands").glob("*.py")}
    others = {"__init__", "command_line", "exit_codes"}
    assert {place.module for place in COMMANDS.values()} == modules - others


@pytest.mark.parametrize("argument", ["--help", "-h", "--version", "nonsense"])
def test_the_top_imports_no_machine(argument: str) -> None:
    assert heavy(imported(argument, code=2 if argument == "nonsense" else 0)) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_imports_that_command(name: str) -> None:
    modules = imported(name, "--help")
    assert heavy(modules) <= set(LIGHT_HELP.get(name, ()))
    loaded = {one for one in COMMANDS if f"cluster.commands.{COMMANDS[one].module}" in modules}
    assert loaded == {name}


# Completion, as README sets it up.


def test_commands_options_and_values_are_completed() -> None:
    assert complete("") == list(COMMANDS)
    assert complete("ex") == ["explore"]
    assert completions("ex")[0].help == COMMANDS["explore"].short_help
    assert complete("--v") == ["--version"]
    assert complete("trace", "") == ["show"]
    assert complete("trace", "show", "--a") == ["--actor"]
    assert complete("run", "--eng") == ["--engine"]
    assert complete("explore", "one-page", "--strategy", "d") == ["dfs", "dpor", "delay"]


def test_names_that_ship_are_completed() -> None:
    assert complete("run", "sq") == ["sqlite-mimalloc", "sqlite-snmalloc"]
    assert complete("compare", "main") == ["main-job"]
    assert complete("hunt", "one") == complete("explore", "one") == ["one-page"]
    assert complete("run", "one-page", "--preset", "f") == ["flag-only", "flag-fatal", "fatal-hole"]
    assert complete("policies", "zero_n") == ["zero_not_started"]
    assert complete("hazards", "lost-ack", "los") == ["lost-ack"]
    assert "x86-ipi" in complete("profiles", "x86")
    assert "x86-ipi" in complete("calibrate", "--check", "--profile", "x86")


def test_files_are_completed_where_one_may_stand() -> None:
    assert [item.type for item in completions("run", "./my")] == ["file"]
    assert [item.type for item in completions("replay", "runs/")] == ["file"]
    assert complete("policies", "./my") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(tmp_path: Path) -> None:
    program = tmp_path / "holezero"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cluster "$@"\n')
    program.chmod(0o755)
    script = """
        PATH=$1:$PATH
        eval "$(_HOLEZERO_COMPLETE=bash_source holezero)"
        COMP_WORDS=(holezero explore --strategy d) COMP_CWORD=3
        _holezero_completion holezero
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Shell completion is not supported" in done.stderr:
        pytest.skip("bash is older than 4.4")
    assert done.stdout == "dfs dpor delay\n", done.stderr
