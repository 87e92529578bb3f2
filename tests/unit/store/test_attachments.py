"""Attachments are read as they were written."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from ovsnet.model.attachment import Attachment, Tagging
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Conflict
from ovsnet.model.host import Medium, Route
from ovsnet.model.ids import IpNetwork, Vlan
from ovsnet.model.network import Network
from ovsnet.model.routing import parse_route, parse_rule
from ovsnet.model.shaping import Shape
from ovsnet.store.attachments import decode_attachment, encode_attachment
from ovsnet.store.interface import Drop, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import WEB, endpoint, state
from tests.unit.plan.test_attachments import ON_LAN, ON_WEB

pytestmark = pytest.mark.row(28)
ROW = UUID(int=1)


def route(text: str, gateway: str = "") -> Route:
    network: IpNetwork = ip_network(text)
    return Route(network, ip_address(gateway) if gateway else None)


@pytest.mark.parametrize(
    "one",
    [
        ON_LAN,
        ON_WEB,
        replace(ON_LAN, routes=(route("10.9.0.0/16", "192.0.2.9"), route("fd00::/8")), makes_bridge=True, label="x"),
        replace(ON_LAN, tagging=Tagging.TRUNK, trunks=(Vlan(10), Vlan(20)), detached=True, created_at=0.1),
        replace(ON_LAN, rules=(parse_rule("from 10.1.0.0/24 table 100"), parse_rule("from ::/0 fwmark 1/3 table 7"))),
        replace(ON_LAN, routes=(parse_route("::/0@fe80::1 table 7"),)),
        replace(ON_LAN, bridge="", medium=Medium.MACVLAN, nic="eth3"),
        replace(ON_LAN, shape=Shape(rate=20_000_000, loss=0.1, delay=50_000, jitter=10_000)),
    ],
)
def test_an_attachment_is_read_as_it_was_written(one: Attachment) -> None:
    columns: dict[str, Any] = dict(encode_attachment(one, lambda _kind, _key: ROW))
    columns["network"] = [SimpleNamespace(net_id=one.network_id)] if columns["network"] else []
    assert decode_attachment(SimpleNamespace(**columns)) == one


async def test_an_attachment_on_a_network_goes_with_its_endpoint_and_before_its_network() -> None:
    store = MemoryStore(LOCAL, state(WEB))
    with pytest.raises(Conflict, match="its endpoint is missing"):
        await store.commit(store.snapshot(), [Put(ON_WEB)])
    one = endpoint(1)
    await store.commit(store.snapshot(), [Put(one), Put(ON_WEB)])
    with pytest.raises(Conflict, match="interface eth1 of c1 is on it"):
        await store.commit(store.snapshot(), [Drop(one), Drop(WEB)])
    await store.commit(store.snapshot(), [Drop(ON_WEB), Drop(one), Drop(WEB)])
    left = store.snapshot()
    assert (left.networks, left.endpoints, left.attachments) == ({}, {}, {})
    assert {Network, Endpoint, Attachment} <= LOCAL.shapes.keys()
