"""The flows as the switch sees them: their text, and what the datapath caches of them."""

import re
from collections.abc import Iterator

import pytest
from tests.functional.pipeline_frames import IPV4, IPV6, ethernet, ipv4, ipv6, udp
from tests.functional.pipeline_switch import BRIDGE, PipelineSwitch, pipeline_switch, replacement
from tests.functional.switch import Switch
from tests.states import TWO_NETWORKS
from tests.unit.pipeline.scenarios import SCENARIOS, scenario

from ovsnet.model.ids import UNTAGGED, Ofport, Vni
from ovsnet.ovs.flowtext import parse_flow_dump, parse_group_dump
from ovsnet.pipeline.flood import MAX_BUCKETS, broadcast
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.tables import Table, goto

pytestmark = pytest.mark.functional


@pytest.fixture(scope="module")
def carrier() -> Iterator[PipelineSwitch]:
    """Two networks of two endpoints each."""
    with pipeline_switch(TWO_NETWORKS) as it:
        yield it


@pytest.mark.parametrize("datapath", ["dummy", "netdev"])
def test_the_switch_prints_our_flows_in_our_words(switch: Switch, datapath: str) -> None:
    switch.add_bridge(BRIDGE, datapath=datapath)
    for name in SCENARIOS:
        wanted = scenario(name)
        switch.ofctl("bundle", BRIDGE, "-", stdin=replacement(wanted))
        flows = parse_flow_dump(switch.ofctl("--no-stats", "dump-flows", BRIDGE))
        groups = parse_group_dump(switch.ofctl("dump-groups", BRIDGE))
        assert {**flows, **{it.key: it for it in groups.values()}} == wanted, name


@pytest.mark.parametrize("ports", [MAX_BUCKETS, 3000])
def test_a_broadcast_goes_to_every_port_of_a_crowded_segment(switch: Switch, ports: int) -> None:
    switch.add_bridge(BRIDGE)
    segment = Segment(Vni(10), UNTAGGED)
    to_all = broadcast(segment, 7, [Ofport(it) for it in range(1, ports + 1)])
    entrance = Flow(0, 1, "", f"{segment.labels},{goto(Table.FLOOD)}", 0)
    switch.ofctl("bundle", BRIDGE, "-", stdin=replacement({it.key: it for it in (*to_all, entrance)}))
    said = switch.call("ovs-appctl", "ofproto/trace", BRIDGE, "in_port=9999")
    # There are no such ports; the switch says so of each that it would have sent a copy to.
    assert said.count(">> Nonexistent output port") == ports


def test_a_conversation_is_two_cached_flows_and_one_pass(carrier: PipelineSwitch) -> None:
    client, server = carrier[1], carrier[2]
    ends = f"eth(src={client.mac},dst={server.mac})", f"eth(src={server.mac},dst={client.mac})"
    for family, address in (("0x0800", server.ipv4), ("0x86dd", server.ipv6)):
        carrier.forget_datapath_flows()
        assert carrier.echoes(client, server, address, times=5) == 300_000
        flows = [it for it in carrier.datapath_flows() if f"eth_type({family})" in it and "icmp" not in it]
        cached = [it for it in flows if any(end in it for end in ends)]
        assert len(cached) == 2
        assert all("recirc_id(0)" in it and re.search(r"actions:\d+$", it) for it in cached)


@pytest.mark.parametrize(
    ("kind", "packet", "wanted"),
    [
        (IPV4, ipv4("10.20.0.2", "10.20.0.3", udp(b"x")), "nw_src=10.20.0.2,nw_frag=no"),
        (IPV6, ipv6("fd00:20::2", "fd00:20::3", udp(b"x")), "ipv6_src=fd00:20::2,nw_frag=no"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_the_cache_looks_at_no_more_than_sender_receiver_and_address(
    carrier: PipelineSwitch, kind: int, packet: bytes, wanted: str
) -> None:
    sender, receiver = carrier[1], carrier[2]
    trace = carrier.trace(1, ethernet(receiver.mac, sender.mac, kind, packet))
    # Of IPv6 the protocol is looked at, since it could be ICMPv6.
    proto = "ip" if kind == IPV4 else "udp6"
    ends = f"in_port=1,dl_src={sender.mac},dl_dst={receiver.mac}"
    assert trace.megaflow == f"recirc_id=0,eth,{proto},{ends},{wanted}"
    assert trace.actions == "3"
