"""What ovs-ofctl prints, read as values. The lines are as Open vSwitch 3.1 wrote them."""

import pytest

from ovsnet.ovs import flowtext
from ovsnet.ovs.flowtext import FlowReport, GroupReport
from ovsnet.pipeline.flow import Flow, Group

MARK = 0xF5E010000000000


@pytest.mark.parametrize(
    ("line", "flow"),
    [
        (" cookie=0xf5e010000000000, priority=0 actions=drop", Flow(0, 0, "", "drop", MARK)),
        (" cookie=0xf5e010000000000, actions=drop", Flow(0, 32768, "", "drop", MARK)),
        (
            " cookie=0xf5e010000000000, table=1, actions=resubmit(,2),NORMAL",
            Flow(1, 32768, "", "resubmit(,2),NORMAL", MARK),
        ),
        (
            " cookie=0xf5e010000000000, table=1, ip actions=goto_table:3",
            Flow(1, 32768, "ip", "goto_table:3", MARK),
        ),
        (
            " cookie=0xf5e010000000000, table=1, idle_timeout=60, send_flow_rem priority=5,tcp6 actions=drop",
            Flow(1, 5, "tcp6", "idle_timeout=60, send_flow_rem drop", MARK),
        ),
        (
            " cookie=0xf5e010000000000, table=1, idle_timeout=60, actions=drop",
            Flow(1, 32768, "", "idle_timeout=60, drop", MARK),
        ),
    ],
)
def test_a_dumped_flow(line: str, flow: Flow) -> None:
    assert flowtext.parse_flow_dump(line) == {flow.key: flow}


def test_headings_of_a_dump_are_no_flows() -> None:
    assert flowtext.parse_flow_dump("OFPST_FLOW reply (OF1.4) (xid=0x2):\n") == {}


@pytest.mark.parametrize(
    ("line", "flow"),
    [
        ("ADD priority=0 cookie:0xf5e010000000000 actions=drop", Flow(0, 0, "", "drop", MARK)),
        ("ADD cookie:0xf5e010000000000 actions=drop", Flow(0, 32768, "", "drop", MARK)),
        ("ADD table:1 cookie:0xf5e010000000000 actions=NORMAL", Flow(1, 32768, "", "NORMAL", MARK)),
        ("ADD table:9 priority=1 actions=group:77", Flow(9, 1, "", "group:77", 0)),
        (
            "ADD table:1 priority=5,tcp6 cookie:0xf5e010000000000 idle:60 send_flow_rem actions=drop",
            Flow(1, 5, "tcp6", "idle:60 send_flow_rem drop", MARK),
        ),
    ],
)
def test_a_flow_in_a_message(line: str, flow: Flow) -> None:
    text = f"usable protocols: any\nOFPT_FLOW_MOD (OF1.4) (xid=0x1): {line}\n"
    assert flowtext.parse_parsed_flows(text) == [flow]


def test_a_dumped_group() -> None:
    text = "OFPST_GROUP_DESC reply (OF1.4):\n group_id=5,type=all,bucket=actions=output:1,bucket=actions=drop"
    assert flowtext.parse_group_dump(text) == {5: Group(5, ("output:1", "drop"))}


def test_a_group_of_another_type_equals_none_of_ours() -> None:
    group = flowtext.parse_group(" group_id=5,type=select,bucket=weight:100,actions=output:1")
    assert group is not None
    assert group != Group(5, ("output:1",))


def test_an_empty_group() -> None:
    assert flowtext.parse_group(" group_id=5,type=all") == Group(5, ())


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("event=ADDED table=3 cookie=0xf5e010000000000", FlowReport(False, 3, "", "drop", MARK)),
        (
            " event=MODIFIED table=3 cookie=0 in_port=1 actions=output:2",
            FlowReport(False, 3, "in_port=1", "output:2", 0),
        ),
        (
            " event=DELETED reason=group_delete table=2 cookie=0xf5e010000000000 reg6=0x1 actions=group:9",
            FlowReport(True, 2, "reg6=0x1", "group:9", MARK),
        ),
        (" MOD group_id=5,type=all,bucket=actions=output:2", GroupReport("MOD", Group(5, ("output:2",)))),
        (" DEL group_id=OFPG_ALL", GroupReport("DEL", None)),
        (" event=PAUSED", None),
    ],
)
def test_a_report(line: str, report: object) -> None:
    assert list(flowtext.parse_reports([line])) == [report]


def test_what_concerns_no_flow_is_no_report() -> None:
    lines = [
        "OFPST_FLOW_MONITOR reply (OF1.4) (xid=0x0):",
        "OFPT_PORT_STATUS (OF1.4): ADD: 4(p9)",
        " speed: 0",
        "",
    ]
    assert list(flowtext.parse_reports(lines)) == []
