"""Reads what `ovs-ofctl --no-names -O OpenFlow14` prints about flows and groups. Pure.

A flow or group as the switch writes it is *canonical*: two texts mean the same exactly when their canonical
forms are equal. Canonical forms are Flow and Group values too. What flows of ours never have (timeouts,
flags) is kept in front of the actions, so that a flow to which somebody gave a timeout does not equal ours.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ovsnet.pipeline.flow import Flow, Group

DEFAULT_PRIORITY = 32768
"""What ovs-ofctl leaves out of a match (ovs-fields(7))."""

_FLAGS = frozenset(("send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts"))
_DUMPED = re.compile(r"^ ?cookie=(0x[0-9a-f]+), (?:table=(\d+), )?(.*?)actions=(.*)$")
_FLOW_MOD = re.compile(r"OFPT_FLOW_MOD \(OF1\.\d\) \(xid=0x[0-9a-f]+\): ADD (.*?)actions=(.*)$")
_REPORT = re.compile(r"^ ?event=(ADDED|MODIFIED|DELETED) (?:reason=\S+ )?table=(\d+) cookie=(0x[0-9a-f]+|0)(.*)$")
_GROUP = re.compile(r"^ ?(?:[A-Z_]+ )?group_id=(\d+),(?:type=all)?(.*)$")
_GROUP_MOD = re.compile(r"^ ?([A-Z_]+) group_id=")
_PRIORITY = re.compile(r"^priority=(\d+),?")


# ---------------------------------------------------------------- flows


def parse_flow_dump(text: str) -> dict[str, Flow]:
    """The flows in the output of `dump-flows --no-stats`, by canonical key."""
    flows = (_dumped_flow(line) for line in text.splitlines())
    return {flow.key: flow for flow in flows if flow is not None}


def _dumped_flow(line: str) -> Flow | None:
    found = _DUMPED.match(line)
    if found is None:
        return None
    cookie, table, head, actions = found.groups()
    extras, match = _split_head(head)
    return _flow(table or "0", match, _with_extras(extras, actions), cookie)


def parse_parsed_flows(text: str) -> list[Flow]:
    """The canonical flows in the output of `parse-flows`, in the order of its input."""
    flows = (parse_flow_mod(line) for line in text.splitlines())
    return [flow for flow in flows if flow is not None]


def parse_flow_mod(line: str) -> Flow | None:
    """The canonical flow in one printed message that adds it; None for any other line.

    It reads "table:N MATCH cookie:N FLAGS actions=…", all but the actions optional.
    """
    found = _FLOW_MOD.search(line)
    if found is None:
        return None
    before, _, after = found[1].partition("cookie:")
    cookie, _, extras = after.partition(" ")
    words = before.split()
    table = words.pop(0).removeprefix("table:") if words and words[0].startswith("table:") else "0"
    return _flow(table, " ".join(words), _with_extras(extras.strip(), found[2]), cookie or "0")


def _split_head(head: str) -> tuple[str, str]:
    """Timeouts (ended by a comma) and flags come first; the match is the last word that is neither."""
    words = head.split()
    is_match = bool(words) and not words[-1].endswith(",") and words[-1] not in _FLAGS
    match = words.pop() if is_match else ""
    return " ".join(words), match


def _with_extras(extras: str, actions: str) -> str:
    return f"{extras} {actions}" if extras else actions


def _flow(table: str, match: str, actions: str, cookie: str) -> Flow:
    found = _PRIORITY.match(match)
    return Flow(
        table=int(table),
        priority=int(found[1]) if found else DEFAULT_PRIORITY,
        match=match[found.end() :] if found else match,
        actions=actions,
        cookie=int(cookie, 16),
    )


# ---------------------------------------------------------------- groups


def parse_group_dump(text: str) -> dict[int, Group]:
    """The groups in the output of `dump-groups`, by id."""
    groups = (parse_group(line) for line in text.splitlines())
    return {group.id: group for group in groups if group is not None}


def parse_group(line: str) -> Group | None:
    """The canonical group in one line of a dump, a report or an error; None when it names no group by
    number.
    """
    found = _GROUP.match(line)
    if found is None:
        return None
    head, *buckets = found[2].split(",bucket=")
    # Anything but type=all stays in front as text, so that it does not equal a group of ours.
    return Group(int(found[1]), (*((head,) if head else ()), *(it.removeprefix("actions=") for it in buckets)))


# ---------------------------------------------------------------- reports of a monitor


@dataclass(frozen=True, slots=True)
class FlowReport:
    """One flow came, changed or went. Its priority is not told (Open vSwitch 3.1)."""

    gone: bool
    table: int
    match: str
    actions: str
    cookie: int


@dataclass(frozen=True, slots=True)
class GroupReport:
    """Somebody asked to change a group, by the switch's word `command`; `group` is None when it means
    all of them.
    """

    command: str
    group: Group | None


Report = FlowReport | GroupReport


def parse_reports(lines: Iterable[str]) -> Iterator[Report | None]:
    """What a monitor said of flows and groups; None for what it says when it lost count of them."""
    for line in lines:
        if line.lstrip().startswith("event="):
            yield _flow_report(line)
        elif found := _GROUP_MOD.match(line):
            yield GroupReport(found[1], parse_group(line))


def _flow_report(line: str) -> FlowReport | None:
    found = _REPORT.match(line)
    if found is None:
        return None
    event, table, cookie, rest = found.groups()
    # No actions at all is how a monitor writes `drop`.
    head, _, actions = rest.partition("actions=")
    extras, match = _split_head(head)
    return FlowReport(event == "DELETED", int(table), match, _with_extras(extras, actions or "drop"), int(cookie, 16))
