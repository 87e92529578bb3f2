"""Interfaces that are no port of a switch, in real namespaces. A veth stands in for a NIC while its namespace lives."""

import os
from collections.abc import Iterator
from ipaddress import ip_interface

import pytest
from tests.functional.kernel import Inside, container, ip, links, private_host, settle

from ovsnet.linux.devices import DeviceApplier
from ovsnet.model.host import DevicePlan, Medium, Placement
from ovsnet.model.ids import Mac

pytestmark = [pytest.mark.functional, pytest.mark.row(35, 36)]

ID = "ab" * 32


@pytest.fixture
def inside() -> Iterator[Inside]:
    with private_host(), container() as it:
        ip("link", "add", "eth3", "type", "veth", "peer", "name", "far")
        ip("link", "set", "eth3", "up", "alias", "what it was")
        yield it


def device(inside: Inside, medium: Medium, ifname: str = "eth1") -> DevicePlan:
    place = Placement(inside.sandbox, ifname, (ip_interface("192.0.2.7/24"),))
    mac = Mac("0a:00:00:00:00:07")
    return DevicePlan("odone", medium, "eth3", inside.sandbox, f"ovsnet:{ID}", 1400, mac, place)


async def test_one_on_a_nic_is_made_recognised_and_taken_away(inside: Inside) -> None:
    plan, applier = device(inside, Medium.MACVLAN), DeviceApplier()
    assert await settle(applier, plan) == []
    there = inside.links()["eth1"]
    assert (there["address"], there["mtu"], there["ifalias"]) == (plan.mac, 1400, plan.alias)
    assert "UP" in there["flags"]
    assert there["linkinfo"]["info_data"]["mode"] == "bridge"
    again = DeviceApplier()
    assert await settle(again, plan) == []
    assert inside.links()["eth1"]["ifindex"] == there["ifindex"], "a new process knows it"

    inside.run("ip", "link", "del", "eth1")
    await again.resync()
    assert again.have() == {}
    assert await settle(again, plan) == []
    assert await settle(again) == []
    assert "eth1" not in inside.links()


async def test_a_name_that_is_taken_is_somebodys(inside: Inside) -> None:
    inside.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "other")
    for medium in (Medium.MACVLAN, Medium.NIC):
        (said,) = await settle(DeviceApplier(), device(inside, medium))
        assert "there is an interface eth1 inside already" in said
    assert links()["eth3"]["ifalias"] == "what it was"


async def test_a_nic_goes_inside_and_comes_back_as_it_was(inside: Inside) -> None:
    plan, applier = device(inside, Medium.NIC), DeviceApplier()
    mac = links()["eth3"]["address"]
    assert await settle(applier, plan) == []
    assert "eth3" not in links()
    assert inside.links()["eth1"]["address"] == mac
    fresh = DeviceApplier()
    assert await settle(fresh, plan) == []
    assert await settle(fresh) == []
    assert (links()["eth3"]["address"], links()["eth3"]["ifalias"]) == (mac, "what it was")
    assert "eth1" not in inside.links()


async def test_a_nic_that_the_kernel_gave_back_gets_its_name(inside: Inside) -> None:
    """As it is when its namespace has ended: its name is that inside, or one of the kernel's."""
    ip("link", "set", "eth3", "alias", "ovsnet-nic odone eth3 what it was")
    ip("link", "set", "eth3", "down")
    ip("link", "set", "eth3", "name", "dev7")
    for known in ({}, {"odone": DevicePlan("odone", Medium.NIC, "eth3", f"/run/netns/gone-{os.getpid()}")}):
        applier = DeviceApplier(known)
        await applier.resync()
        assert await settle(applier) == []
        assert links()["eth3"]["ifalias"] == "what it was"
        ip("link", "set", "eth3", "alias", "ovsnet-nic odone eth3 what it was")
        ip("link", "set", "eth3", "name", "dev7")
    ip("link", "add", "eth3", "type", "veth", "peer", "name", "impostor")
    (said,) = await settle(DeviceApplier({"odone": DevicePlan("odone", Medium.NIC, "eth3")}))
    assert "has come back as dev7, as there is another eth3 now" in said


async def test_a_nic_that_is_not_back_yet_is_waited_for(inside: Inside) -> None:
    gone = DevicePlan("odone", Medium.NIC, "eth9", f"/run/netns/gone-{os.getpid()}")
    applier = DeviceApplier({"odone": gone})
    (said,) = await settle(applier)
    assert "has not come back yet" in said
    assert applier.have() == {"odone": gone}
