"""The vocabulary: tables, registers, cookies."""

import pytest

from ovsnet.pipeline.cookies import Feature, cookie, feature_of, is_ours
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.registers import REGISTERS, SEGMENT_VLAN, SEGMENT_VNI
from ovsnet.pipeline.tables import TABLES, Priority, Table, check, flow, goto


def test_every_table_has_a_rule() -> None:
    assert set(TABLES) == set(Table)


def test_a_step_that_the_table_allows_passes() -> None:
    check([flow(Table.ORIGIN, Priority.NORMAL, "in_port=1", goto(Table.GUARD))])


def test_a_step_that_the_table_does_not_allow_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="table 0 may not go to 60"):
        check([flow(Table.ORIGIN, Priority.NORMAL, "in_port=1", goto(Table.OUTPUT))])


def test_a_step_is_found_behind_other_actions() -> None:
    with pytest.raises(ValueError, match="table 40 may not go to 0"):
        check([Flow(40, 1, "", "set_field:0x1->reg7,goto_table:0", 0)])


def test_a_flow_takes_the_feature_of_its_table_or_the_one_given() -> None:
    plain = flow(Table.FLOOD, Priority.MISS, "", "drop")
    foreign = flow(Table.FLOOD, Priority.MISS, "", "drop", feature=Feature.ISOLATE)
    assert feature_of(plain.cookie) is Feature.FLOOD
    assert feature_of(foreign.cookie) is Feature.ISOLATE


def test_registers_are_distinct_and_named() -> None:
    assert len({it.number for it in REGISTERS}) == len({it.name for it in REGISTERS}) == len(REGISTERS)


def test_registers_are_written_as_open_vswitch_prints_them() -> None:
    assert SEGMENT_VNI.equals(10) == "reg6=0xa"
    assert SEGMENT_VLAN.equals(0) == "reg5=0"
    assert SEGMENT_VLAN.set_to(0) == "set_field:0->reg5"
    assert SEGMENT_VNI.low(8) == "NXM_NX_REG6[0..7]"


@pytest.mark.parametrize("feature", Feature)
def test_a_cookie_tells_owner_feature_and_network(feature: Feature) -> None:
    value = cookie(feature, 0xABCDEF)
    assert is_ours(value)
    assert feature_of(value) is feature
    assert value & 0xFFFFFF == 0xABCDEF


def test_a_foreign_cookie_is_not_ours() -> None:
    assert not is_ours(0)
    assert not is_ours(0xF5F << 48)
