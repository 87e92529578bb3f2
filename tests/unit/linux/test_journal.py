"""What the next process knows of what this one was about to put into other namespaces."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from ovsnet.linux.devices import DeviceApplier
from ovsnet.linux.insides import UNSURE, InsideApplier
from ovsnet.linux.journal import Journal, journal_of
from ovsnet.model.delta import diff
from ovsnet.model.host import DevicePlan, InsidePlan, Medium, Placement, Route, Routers, Rule
from ovsnet.model.shaping import Shape

GONE = "/run/netns/there-is-no-such-namespace"
INSIDE = InsidePlan(
    "ov1 inside",
    GONE,
    "eth1",
    mtu=1400,
    addresses=(ip_interface("192.0.2.7/24"), ip_interface("2001:db8::7/64")),
    routes=(Route(ip_network("0.0.0.0/0"), ip_address("192.0.2.1")), Route(ip_network("2001:db8:1::/48"), None, 5)),
    rules=(Rule(4, 5, ip_network("192.0.2.7/32"), priority=100), Rule(6, 6, iif="eth1")),
    routers=Routers.HEEDED,
    shape=Shape(rate=1000, delay=5),
)
DEVICE = DevicePlan("od1", Medium.MACVLAN, "eth0", GONE, "ovsnet:1", place=Placement(GONE, "eth2", ()))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_of(str(tmp_path), "insides")


async def test_what_was_begun_inside_is_known_to_the_next_process_until_it_has_been_left(journal: Journal) -> None:
    first = InsideApplier(journal)
    (refused,) = await first.apply(diff({INSIDE.name: INSIDE}, first.have()))
    assert "is gone" in refused.reason

    second = InsideApplier(journal)

    assert second.have() == {INSIDE.name: replace(INSIDE, mtu=UNSURE)}
    assert await second.apply(diff({}, second.have())) == []
    assert InsideApplier(journal).have() == {}


async def test_a_device_that_may_be_inside_is_known_to_the_next_process_until_it_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    note = {"medium": "macvlan", "nic": "eth0", "sandbox": GONE, "alias": "ovsnet:1", "ifname": "eth2"}
    journal.note(DEVICE.name, note)

    applier = DeviceApplier(journal=journal)

    assert applier.have() == {DEVICE.name: replace(DEVICE, sandbox="")}
    assert await applier.apply(diff({}, applier.have())) == []
    assert DeviceApplier(journal=journal).have() == {}


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note("other", {"so": "it is"})
    (tmp_path / "torn").write_text('{"so')

    assert dict(journal.read()) == {"other": {"so": "it is"}}
    assert InsideApplier(journal).have() == {}
    assert DeviceApplier(journal=journal).have() == {}


def test_without_a_folder_nothing_is_kept() -> None:
    journal = Journal()
    journal.note("one", 1)
    journal.strike("one")
    assert list(journal.read()) == []
