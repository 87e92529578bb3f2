#!/usr/bin/env python3
"""Make docs/faults.md of docs/faults.toml and of the tests that are marked with a fault of that list.

    generate_faults.py            write it
    generate_faults.py --check    exit 1 when it differs

A fault without a test, and a mark that names none of them, is an error.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import generated
from generated import ROOT

HEAD = """# Faults we do not have

Made by `make generate` from [faults.toml](faults.toml) and from the tests that carry a fault's name; never by hand.
Each is a fault that a tool before this one had, and the tests that would find it here.

| Fault | Seen in | Rows | Tests |
|---|---|---|---|
"""


def render(faults: list[dict[str, Any]], tests: Mapping[str, list[str]]) -> str:
    """The whole page."""
    lines = [
        f"| {it['what']} | {it['tools']} | {', '.join(map(str, it['rows']))} | {'; '.join(tests[it['name']])} |"
        for it in faults
    ]
    return HEAD + "\n".join(lines) + "\n"


def marked() -> Iterator[tuple[str, str]]:
    """Each fault's name with a test that is marked with it."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from ((name, f"`{file.name}`: {_said(node.name)}") for name in _faults(node))


def _faults(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for it in test.decorator_list:
        if isinstance(it, ast.Call) and ast.unparse(it.func) == "pytest.mark.fault":
            yield from (word.value for word in it.args if isinstance(word, ast.Constant))


def _said(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _page() -> str:
    faults = tomllib.loads((ROOT / "docs" / "faults.toml").read_text())["fault"]
    tests: dict[str, list[str]] = {it["name"]: [] for it in faults}
    for name, test in marked():
        if name not in tests:
            sys.exit(f"{test}: there is no fault {name!r} in docs/faults.toml; it has: {', '.join(tests)}")
        tests[name].append(test)
    bare = [name for name, found in tests.items() if not found]
    if bare:
        sys.exit(f"no test is marked with: {', '.join(bare)}")
    return render(faults, tests)


if __name__ == "__main__":
    sys.exit(generated.main(str(__doc__), {ROOT / "docs" / "faults.md": _page()}, again="make generate"))
