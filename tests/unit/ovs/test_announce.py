"""Announcements, octet by octet."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, Mac, NetworkId
from ovsnet.ovs import announce
from ovsnet.ovs.trace import Step, parse_trace
from ovsnet.pipeline.frames import icmpv6_checksum

MAC = Mac("0a:1b:2c:00:00:07")


def test_a_gratuitous_arp() -> None:
    frame = announce.gratuitous_arp(MAC, IPv4Address("10.9.0.7")).hex()
    ethernet, arp = "ffffffffffff" + "0a1b2c000007" + "0806", "0001" + "0800" + "06" + "04" + "0001"
    claim = "0a1b2c000007" + "0a090007" + "000000000000" + "0a090007"
    assert frame == (ethernet + arp + claim).ljust(120, "0")


def test_an_unsolicited_advertisement() -> None:
    frame = announce.unsolicited_advertisement(MAC, IPv6Address("fd00::7"))
    assert frame[:14].hex() == "333300000001" + "0a1b2c000007" + "86dd"
    header, message = frame[14:54], frame[54:]
    assert (
        header.hex()
        == "60000000" + "0020" + "3a" + "ff" + IPv6Address("fd00::7").packed.hex() + "ff02" + "00" * 13 + "01"
    )
    assert message[:2] + message[4:8] == bytes.fromhex("8800" + "20000000")
    assert message[8:24] == IPv6Address("fd00::7").packed
    assert message[24:].hex() == "0201" + "0a1b2c000007"


def test_the_checksum_proves_itself() -> None:
    """Over a message that contains its checksum the sum is all ones (RFC 1071)."""
    message = announce.unsolicited_advertisement(MAC, IPv6Address("fd00::7"))[54:]
    assert icmpv6_checksum(IPv6Address("fd00::7"), IPv6Address("ff02::1"), message) == 0


def test_an_endpoint_announces_every_address_it_has() -> None:
    endpoint = Endpoint(EndpointId("e"), NetworkId("n"), MAC, IPv4Interface("10.9.0.7/24"), IPv6Interface("fd00::7/64"))
    assert len(announce.announcements(endpoint)) == 2
    assert announce.announcements(Endpoint(EndpointId("e"), NetworkId("n"), MAC)) == []


def test_a_trace_with_two_passes_through_the_datapath() -> None:
    text = (
        'Flow: ip,in_port=1\n\nbridge("b")\n-----------\n 0. ip, priority 5, cookie 0xf5e020000000007\n'
        "    goto_table:4\n 4. priority 1\n    ct(table=5)\n\n"
        "Final flow: unchanged\nMegaflow: recirc_id=0,ip\n"
        'Datapath actions: ct,recirc(0x1)\n\n==========\nbridge("b")\n 5. No match.\n    drop\n'
        "Megaflow: recirc_id=0x1,ip\nDatapath actions: drop\n"
    )
    said = parse_trace(text)
    assert said.steps == (Step(0, 0xF5E020000000007), Step(4, None), Step(5, None))
    assert said.megaflow == "recirc_id=0,ip"
    assert said.actions == ("ct,recirc(0x1)", "drop")
