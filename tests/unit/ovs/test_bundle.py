"""The text of a bundle, and whom a complaint is about."""

from ovsnet.ovs.bundle import Bundle
from ovsnet.pipeline.flow import Flow, Group

NEW, OLD = (
    Flow(1, 5, "ip", "group:1325400064", 0xF5E000000000000),
    Flow(2, 5, "ip", "drop", 0xF5E000000000000),
)
NEW_GROUP, OLD_GROUP = Group(0x4F000000, ("output:1",)), Group(0x4F000001, ())
BUNDLE = Bundle({NEW.key: NEW, NEW_GROUP.key: NEW_GROUP}, {OLD_GROUP.key: OLD_GROUP, OLD.key: OLD})


def test_groups_come_before_and_go_after_the_flows_that_use_them() -> None:
    assert BUNDLE.text.splitlines() == [
        "group add_or_mod group_id=1325400064,type=all,bucket=actions=output:1",
        "flow delete_strict cookie=0xf5e000000000000/0xffff000000000000,table=2,priority=5,ip",
        "flow add cookie=0xf5e000000000000,table=1,priority=5,ip,actions=group:1325400064",
        "group delete group_id=1325400065",
    ]


def test_an_unreadable_line_names_its_resource() -> None:
    error = BUNDLE.at_fault("ovs-ofctl: -:3: unknown action fly")
    assert error is not None
    assert (error.resource, error.reason) == (NEW.key, "unknown action fly")


def test_a_refused_group_is_found_by_its_number() -> None:
    complaint = (
        "Error OFPGMFC_BAD_WATCH for: OFPT_GROUP_MOD (OF1.4) (xid=0x2):\n"
        " ADD_OR_MOD group_id=1325400064,type=all,bucket=actions=output:1\n"
        "Error OFPBFC_MSG_FAILED for: OFPT_BUNDLE_CONTROL (OF1.4) (xid=0x7):\n type=COMMIT_REQUEST"
    )
    error = BUNDLE.at_fault(complaint)
    assert error is not None
    assert (error.resource, error.reason) == (NEW_GROUP.key, "OFPGMFC_BAD_WATCH")


def test_a_refused_flow_is_found_by_its_form() -> None:
    words = "ADD table:1 priority=5,ip cookie:0xf5e000000000000 actions=group:1325400064"
    complaint = f"Error OFPBAC_BAD_OUT_GROUP for: OFPT_FLOW_MOD (OF1.4) (xid=0x3): {words}\nError OFPBFC_MSG_FAILED"
    assert BUNDLE.at_fault(complaint) is None
    error = BUNDLE.at_fault_by_form(complaint, {NEW.key: NEW})
    assert error is not None
    assert (error.resource, error.reason) == (NEW.key, "OFPBAC_BAD_OUT_GROUP")


def test_a_complaint_about_nothing_of_ours_names_nobody() -> None:
    complaint = "ovs-ofctl: connecting to unix:/run/x.mgmt (No such file or directory)"
    assert BUNDLE.at_fault(complaint) is None
    assert BUNDLE.at_fault_by_form(complaint, {}) is None
