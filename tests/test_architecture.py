"""The structure holds: imports, purity, sizes, names. Why it is so: docs/architecture.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "ovsnet"

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
# Names that say nothing about what is inside, and so attract everything.
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
BARE_TASKS = {"asyncio.create_task", "asyncio.ensure_future", "loop.create_task"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_judge() -> None:
    assert len(modules()) > 20


def test_imports_point_downwards_and_pure_packages_stay_pure() -> None:
    """The contracts of pyproject.toml."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_module_can_be_read_in_one_sitting() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}

    assert {name: lines for name, lines in lengths.items() if lines >= LONGEST_MODULE} == {}


def test_a_function_is_one_level_of_thought() -> None:
    lengths = {
        f"{name_of(path)}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules()
        for node in functions(path)
    }

    assert {name: lines for name, lines in lengths.items() if lines >= LONGEST_FUNCTION} == {}


def test_a_name_says_what_is_inside() -> None:
    empty = [
        path
        for path in modules()
        if {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts} & EMPTY_NAMES
    ]

    assert [name_of(path) for path in empty] == []


def test_a_module_begins_with_its_rule() -> None:
    silent = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]

    assert [name_of(path) for path in silent] == []


def test_tasks_have_a_parent() -> None:
    """Only a TaskGroup makes tasks: a bare one is lost, with its exception, when nobody looks."""
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in BARE_TASKS
    ]

    assert bare == []
