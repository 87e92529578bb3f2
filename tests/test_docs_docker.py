"""docs/docker-protocol.md lists every call we answer, and a living test for each pitfall."""

import ast
from pathlib import Path
from typing import Any

from ovsnet.docker.ipam_driver import IpamDriver
from ovsnet.docker.network_driver import NetworkDriver

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "docker-protocol.md"
PITFALLS = 42
EXCUSE = "not provoked: "


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names_of_tests() -> set[str]:
    """Every test function of the project."""
    return {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_call_we_answer_is_described_and_no_other() -> None:
    nobody: Any = None
    answered = ["Plugin.Activate", *NetworkDriver(nobody, nobody, nobody).calls, *IpamDriver(nobody).calls]
    assert sorted(row[0].strip("`") for row in rows("The calls")) == sorted(answered)


def test_all_pitfalls_are_listed_in_order() -> None:
    assert [row[0] for row in rows("Pitfalls")] == [str(number) for number in range(1, PITFALLS + 1)]


def test_every_pitfall_has_a_test_that_exists_or_a_reason() -> None:
    known = names_of_tests()
    for number, _, _, proof in rows("Pitfalls"):
        tests = {name.strip().strip("`") for name in proof.split(",")}
        assert proof.startswith(EXCUSE) or tests <= known, f"pitfall {number}: {sorted(tests - known)}"
