"""Announcements that the switch sends for endpoints, and questions it answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface

import pytest
from tests.functional.switch import DEADLINE, Switch

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Unavailable
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Ofport
from ovsnet.ovs.announce import announce, announcements
from ovsnet.ovs.trace import trace
from ovsnet.pipeline.cookies import Feature, cookie

pytestmark = pytest.mark.functional
BRIDGE = "br-ours"
ENDPOINT = Endpoint(
    EndpointId("e1"),
    NetworkId("n1"),
    Mac("0a:1b:2c:00:00:07"),
    IPv4Interface("10.9.0.7/24"),
    IPv6Interface("fd00::7/64"),
)
WITHOUT_ADDRESSES = Endpoint(EndpointId("e2"), NetworkId("n1"), Mac("0a:1b:2c:00:00:08"))


@pytest.fixture
def ports(switch: Switch) -> Switch:
    switch.add_bridge(BRIDGE)
    for name in ("p1", "p2"):
        switch.vsctl(
            "add-port",
            BRIDGE,
            name,
            "--",
            "set",
            "Interface",
            name,
            "type=dummy",
            f"ofport_request={name[1]}",
        )
    return switch


@contextmanager
def cable(switch: Switch, port: str) -> Iterator[socket.socket]:
    """What leaves a dummy port: each frame behind its length in two octets."""
    path = switch.run_dir / f"{port}.cable"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(DEADLINE)
        switch.vsctl("set", "Interface", port, f"options:stream=unix:{path}")
        with listener.accept()[0] as end:
            end.settimeout(DEADLINE)
            yield end


def read_frame(end: socket.socket) -> bytes:
    length = int.from_bytes(end.recv(2, socket.MSG_WAITALL), "big")
    return end.recv(length, socket.MSG_WAITALL)


async def test_announcements_enter_at_the_endpoints_port_and_go_through_the_tables(ports: Switch) -> None:
    from_endpoint = f"in_port=1,dl_src={ENDPOINT.mac}"
    ports.ofctl("add-flow", BRIDGE, f"{from_endpoint},arp,arp_op=1,arp_spa=10.9.0.7,arp_tpa=10.9.0.7,actions=output:2")
    advertised = "icmp6,icmp_type=136,ipv6_src=fd00::7,ipv6_dst=ff02::1,nd_target=fd00::7"
    ports.ofctl("add-flow", BRIDGE, f"{from_endpoint},{advertised},nd_tll={ENDPOINT.mac},actions=output:2")
    with cable(ports, "p2") as end:
        await announce(BRIDGE, [(Ofport(1), ENDPOINT), (Ofport(1), WITHOUT_ADDRESSES)], ports.run_dir)
        assert [read_frame(end) for _ in range(2)] == announcements(ENDPOINT)


async def test_nothing_to_announce_asks_nobody(switch: Switch) -> None:
    await announce("br-none", [(Ofport(1), WITHOUT_ADDRESSES)], switch.run_dir)


async def test_announcing_on_a_bridge_that_is_gone_is_unavailable(switch: Switch) -> None:
    with pytest.raises(Unavailable):
        await announce("br-none", [(Ofport(1), ENDPOINT)], switch.run_dir)


# ---------------------------------------------------------------- trace


async def test_a_trace_tells_tables_cookies_and_the_end(ports: Switch) -> None:
    mark = cookie(Feature.GUARD, 7)
    ports.ofctl("add-flow", BRIDGE, f"cookie={mark:#x},table=0,priority=5,in_port=1,ip,actions=goto_table:3")
    ports.ofctl("add-flow", BRIDGE, "table=3,cookie=0x1,actions=output:2")
    said = await trace(BRIDGE, "in_port=1,ip,nw_src=10.9.0.7", ports.run_dir)
    assert [(it.table, it.cookie) for it in said.steps] == [(0, mark), (3, 1)]
    assert [it.isdigit() for it in said.actions] == [True]
    assert "in_port=1" in said.megaflow
    assert "Final flow: unchanged" in said.text


async def test_a_trace_that_ends_at_no_flow_is_a_drop(ports: Switch) -> None:
    said = await trace(BRIDGE, "in_port=1", ports.run_dir)
    assert [(it.table, it.cookie) for it in said.steps] == [(0, None)]
    assert said.actions == ("drop",)


async def test_what_cannot_be_traced_is_a_bad_request(ports: Switch) -> None:
    with pytest.raises(BadRequest, match="cannot trace 'wings=2' on bridge br-ours"):
        await trace(BRIDGE, "wings=2", ports.run_dir)


async def test_a_trace_without_a_daemon_is_unavailable(ports: Switch) -> None:
    ports.stop_daemon()
    with pytest.raises(Unavailable):
        await trace(BRIDGE, "in_port=1", ports.run_dir)
    (ports.run_dir / "ovs-vswitchd.pid").unlink()
    with pytest.raises(
        Unavailable, match=r"ovs-vswitchd\.pid does not say which process.*systemctl start openvswitch-switch"
    ):
        await trace(BRIDGE, "in_port=1", ports.run_dir)
