"""A plan serves as long as nothing that it depends on changed, and no longer."""

from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

import pytest

from ovsnet.model.host import HostFacts
from ovsnet.model.state import State
from tests.fakes.host import FakeHost
from tests.states import TWO_ENDPOINTS

NO_MATTER = frozenset({"revision", "pools", "allocations", "counters"})
"""What no plan and no flow is made of."""
MATTERS = [it.name for it in fields(State) if it.name not in NO_MATTER]


def copied(state: State, name: str) -> State:
    """With another mapping of the same: as after a change."""
    changes: dict[str, Any] = {name: MappingProxyType(dict(getattr(state, name)))}
    return replace(state, **changes)


@pytest.mark.parametrize("name", MATTERS)
def test_what_changed_is_planned_anew(name: str) -> None:
    converger = FakeHost(TWO_ENDPOINTS).converger()
    before = converger.want(TWO_ENDPOINTS, HostFacts())
    assert converger.want(copied(TWO_ENDPOINTS, name), HostFacts()) is not before


@pytest.mark.parametrize("name", ["pools", "allocations"])
def test_addresses_that_come_and_go_need_no_new_plan(name: str) -> None:
    converger = FakeHost(TWO_ENDPOINTS).converger()
    before = converger.want(TWO_ENDPOINTS, HostFacts())
    assert converger.want(copied(TWO_ENDPOINTS, name), HostFacts()) is before
