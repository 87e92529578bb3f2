"""docs/pipeline.md says what the code does: its tables, priorities, registers, features and example flows."""

import re
from collections.abc import Iterator
from pathlib import Path

from ovsnet.pipeline.cookies import OWNER, Feature
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.registers import REGISTERS
from ovsnet.pipeline.tables import TABLES, Priority
from tests.unit.pipeline.scenarios import text

PAGE = (Path(__file__).parents[1] / "docs" / "pipeline.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The page from one heading to the next of the same depth."""
    depth = heading.split(" ", 1)[0]
    after = PAGE.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^{depth} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [it for it in section(heading).splitlines() if it.startswith("|")]
    return [[cell.strip() for cell in it.strip("|").split("|")] for it in lines[2:]]


def shown(depth_three: str) -> Iterator[str]:
    """The flows and groups in the code block of a table's section."""
    yield from (it for it in section(depth_three).splitlines() if it.startswith(("cookie=", "group_id=")))


def test_tables_are_those_of_the_code() -> None:
    wanted = [
        [
            str(table.value),
            table.name.lower(),
            rule.purpose,
            "dropped" if rule.miss is None else rule.miss.name.lower(),
            ", ".join(it.name.lower() for it in sorted(rule.next)),
        ]
        for table, rule in TABLES.items()
    ]
    assert rows("## Tables") == wanted


def test_priorities_are_those_of_the_code() -> None:
    assert [row[:2] for row in rows("## Priorities")] == [[str(it.value), it.name.lower()] for it in Priority]


def test_registers_are_those_of_the_code() -> None:
    assert rows("## Registers") == [[f"reg{it.number}", it.name, it.purpose] for it in REGISTERS]


def test_features_are_those_of_the_code() -> None:
    assert [row[:2] for row in rows("## Cookies")] == [[f"{it.value:02x}", it.name.lower()] for it in Feature]
    assert f"`{OWNER >> 48:#06x}` (ours)" in PAGE


def test_every_table_has_a_section_with_flows_of_it() -> None:
    for table in TABLES:
        flows = list(shown(f"### {table.name.lower()}"))
        assert flows
        assert all(f",table={table.value}," in it for it in flows if it.startswith("cookie="))


def test_the_flows_shown_exist() -> None:
    true = {
        line
        for it in (
            "base",
            "one-network",
            "overlay-ovs",
            "overlay-kernel",
            "underlay",
            "uplink",
            "uplink-dhcp",
            "egress",
            "names",
            "spaces",
            "multicast",
            "multicast-kernel",
        )
        for line in text(it).splitlines()
    }
    assert {it for table in TABLES for it in shown(f"### {table.name.lower()}")} <= true


def test_the_numbers_of_flows_are_true() -> None:
    costs = section("## What it costs")
    assert f"{len(text('base').splitlines())} for every host" in costs
    both, one = len(text("one-network").splitlines()) - 1 - 2 * 15, len(text("ipv4-only").splitlines()) - 1 - 2 * 6
    assert f"{both} and a group for each segment ({one} with IPv4 only)" in costs


def test_the_gateways_mac_is_named() -> None:
    assert GATEWAY_MAC in section("### gateway")
