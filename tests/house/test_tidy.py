"""The repository's own habits: small files, small functions, telling names, no stray paths."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.class_chains import Classes
from tests.support.places import ROOT

PACKAGES = ("kernel", "actors", "cluster", "dashboards")
FILE_LINES = 350
FUNCTION_LINES = 50

# Lengths kept for now, by "path" or "path:function". May only shrink: an entry must state the
# true length, and goes when the limit is met.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

VAGUE_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "base"}
MACHINE_PATH = re.compile(r"(?<![\w.~$)}\]*-])/(?:work|root|home)(?![\w.-])")
FOREIGN_IN_LOCK = re.compile(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|^-")


def repository_files() -> list[Path]:
    """List what is tracked or about to be, as git tells it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = sorted({ROOT / name for name in listing.split("\0") if name})
    return [path for path in paths if path.is_file()]


FILES = repository_files()
PYTHON = [path for path in FILES if path.suffix == ".py"]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield each function's dotted name and its length in lines, nested ones too."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}" if prefix else node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield name, node.end_lineno - node.lineno + 1
        yield from functions(node, name)


def test_git_lists_the_sources() -> None:
    assert Path(__file__).resolve() in FILES
    for package in PACKAGES:
        assert ROOT / package / "__init__.py" in FILES


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in PYTHON}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES} == LONG_FILES


def test_no_function_is_too_long() -> None:
    long = {
        f"{shown(path)}:{name}": length
        for path in PYTHON
        for name, length in functions(ast.parse(path.read_text("utf-8")))
        if length > FUNCTION_LINES
    }
    assert long == LONG_FUNCTIONS


def our_classes() -> Classes:
    ours = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in PACKAGES]
    return Classes(
        {shown(path.with_suffix("")).replace("/", "."): path.read_text("utf-8") for path in ours}
    )


def test_no_class_is_spread_over_files() -> None:
    classes = our_classes()
    assert classes.slices() == set(), "a component owns its fields instead, see ARCHITECTURE.md"
    assert classes.chains(longest=2) == set()


ROOTS = "from abc import ABC\nclass Machine(ABC): ...\n"


def test_what_counts_as_a_class_that_is_spread_over_files() -> None:
    pieces = {
        "m": ROOTS,
        "a": "from m import Machine\nclass State(Machine): ...",
        "b": "from a import State as S\nclass Kernel(S): ...",
        "c": "from b import Kernel\nclass Core(Kernel): ...\nCore()",
    }
    assert Classes(pieces).slices() == {"a.State", "b.Kernel"}
    assert Classes(pieces).chains(2) == {"c.Core"}
    assert Classes(pieces | {"d": "from b import Kernel\nKernel()"}).slices() == {"a.State"}


@pytest.mark.parametrize(
    "text",
    [
        "class Thread(Machine): ...\nclass Daemon(Thread): ...\nclass Zeroer(Thread): ...",
        "class One(Machine): ...\nclass Two(One): ...",
        "import msgspec\nclass A(msgspec.Struct): ...\nclass B(A): ...\nclass C(B): ...",
        "class AError(Exception): ...\nclass BError(AError): ...\nclass C(BError): ...",
    ],
)
def test_what_does_not(text: str) -> None:
    classes = Classes({"m": ROOTS + text})
    assert (classes.slices(), classes.chains(2)) == (set(), set())


def test_no_module_has_a_vague_name() -> None:
    vague = [
        shown(path)
        for path in PYTHON
        if VAGUE_NAMES & {*path.relative_to(ROOT).parent.parts, path.stem}
    ]
    assert vague == []


def test_package_inits_hold_only_a_docstring() -> None:
    inits = [path for path in PYTHON if path.name == "__init__.py"]
    assert len(inits) >= len(PACKAGES)
    for path in inits:
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree), shown(path)
        assert len(tree.body) == 1, shown(path)


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in FILES:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a recorded, compressed workload
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{shown(path)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_what_counts_as_a_path_of_one_machine(folder: str) -> None:
    path = f"/{folder}"
    for line in (f"cd {path}/main", f"'{path}'", f"HOME={path}/someone", f"({path})", path):
        assert MACHINE_PATH.search(line), line
    for line in (f"https://example.org{path}", f"top{path} node", f"{path}s", f"./x .{path}"):
        assert not MACHINE_PATH.search(line), line
    for line in (f"$D{path}", f"{{top}}{path}", f"*{path}"):
        assert not MACHINE_PATH.search(line), line


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_are_hashed_and_name_no_registry(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    assert [line for line in lines if FOREIGN_IN_LOCK.search(line)] == []
    pins = [number for number, line in enumerate(lines) if line[:1].isalnum()]
    assert len(pins) > len(PACKAGES)
    for number in pins:
        assert "==" in lines[number]
        assert lines[number + 1].strip().startswith("--hash=sha256:")


def test_every_room_of_cluster_has_its_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (layers,) = [
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    placed = {name for layer in layers for name in layer.split(" | ")}
    rooms = {
        ".".join(["cluster", path.relative_to(ROOT / "cluster").parts[0].removesuffix(".py")])
        for path in PYTHON
        if path.is_relative_to(ROOT / "cluster") and path != ROOT / "cluster" / "__init__.py"
    }
    assert rooms - placed == set(), "give it a place in the layers of pyproject.toml"
