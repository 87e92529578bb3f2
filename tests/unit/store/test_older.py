"""Rows that an older version wrote, or that were written to a database that is older than we are."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from ovsnet.model.cluster import RemoteEndpoint, SharedNetwork
from ovsnet.model.ids import HostName, SharedId, Vni
from ovsnet.model.listening import EVERYTHING, to_groups
from ovsnet.model.network import Multicast, NetworkOptions
from ovsnet.store.older import Filled, default
from ovsnet.store.shared import SHARED
from tests.unit.pipeline.scenarios import GROUP, GROUP6, B, remote

pytestmark = pytest.mark.row(67, 99)
ROW = UUID(int=1)


def read_back(value: Any, *lacking: str, **references: object) -> Any:
    """The value as it is read from a database without some columns."""
    shape = SHARED.shapes[type(value)]
    columns = {**shape.encode(value, lambda _kind, _key: ROW), **references}
    written = {name: it for name, it in columns.items() if name not in lacking}
    missing = {name: default(SHARED, shape.table, name) for name in lacking}
    return shape.decode(Filled(SimpleNamespace(**written), missing))


@pytest.mark.parametrize("asked", [(), (("multicast", "flood"),), (("multicast", "snoop"),)])
def test_a_network_keeps_what_was_asked_for_multicast_also_without_the_column(asked: Any) -> None:
    wanted = Multicast(dict(asked).get("multicast", "snoop"))
    network = SharedNetwork(
        SharedId("n1"), Vni(7), HostName("h1"), asked=asked, options=NetworkOptions(multicast=wanted)
    )
    assert read_back(network) == read_back(network, "multicast") == network


def test_an_endpoint_whose_groups_nobody_wrote_down_gets_everything() -> None:
    one = remote(5, B, listens=to_groups([GROUP, GROUP6]))
    references = {"network": SimpleNamespace(net_id=one.network), "member": SimpleNamespace(name=one.host)}
    found = read_back(one, **references)
    assert isinstance(found, RemoteEndpoint)
    assert found == one
    assert read_back(one, "listens", **references).listens == EVERYTHING
