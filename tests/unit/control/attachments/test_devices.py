"""Interfaces that are no port of a switch: dummies, NICs, and what is on a NIC."""

import asyncio
from dataclasses import replace

import pytest

from ovsnet.control.attachments.devices import HostNic, remark, reserved
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.host import Datapath, HostFacts, Medium, SwitchFacts
from ovsnet.model.ids import Mac
from ovsnet.plan.host import plan_host
from ovsnet.store.local import LOCAL
from tests.fakes.slowstore import SlowStore
from tests.unit.control.attachments.desk import Desk

SPARE = HostNic("eth3", Mac("0a:00:00:00:00:03"), mtu=9000)


@pytest.fixture
def desk() -> Desk:
    return with_nic(Desk())


def with_nic(desk: Desk) -> Desk:
    for name in ("c1", "c2"):
        desk.there.start(name)
    desk.nics = {"eth3": SPARE}
    return desk


async def refusal(desk: Desk, words: str, kind: type[OvsnetError], target: str = "c1") -> str:
    with pytest.raises(kind) as refused:
        await desk.attach(target, words)
    return str(refused.value)


@pytest.mark.row(34)
async def test_a_dummy_is_planned_with_its_address_and_has_no_port(desk: Desk) -> None:
    made = await desk.attach("c1", "--dummy --ifname dummy0 --ip 10.9.9.9/32")
    facts = HostFacts(SwitchFacts(available=True, datapath=Datapath.USERSPACE))
    host = plan_host(desk.state, facts, bridge="br-test", instance="test")
    (device,) = host.devices.values()
    assert (device.medium, device.ifname, device.sandbox) == (Medium.DUMMY, "dummy0", made.sandbox)
    assert [str(it) for it in host.insides[f"{device.name} inside"].addresses] == ["10.9.9.9/32"]
    assert (dict(host.ports), dict(host.links)) == ({}, {})


@pytest.mark.row(34)
async def test_without_the_kernels_help_it_is_refused(desk: Desk) -> None:
    desk.kernel_lacks = {"dummy"}
    assert "--dummy needs a part of Linux" in await refusal(desk, "--dummy", Conflict)


@pytest.mark.row(35)
async def test_a_nic_keeps_what_it_has(desk: Desk) -> None:
    made = await desk.attach("c1", "--nic eth3 --ip 192.0.2.7/24")
    assert (made.nic, made.mac, made.mtu, made.ifname) == ("eth3", SPARE.mac, 9000, "eth1")
    assert "eth1 of c1 has it (NIC eth3)" in await refusal(desk, "--nic eth3", Conflict, "c2")
    assert "eth1 of c1 has it" in await refusal(desk, "--macvlan eth3", Conflict, "c2")


@pytest.mark.row(35)
@pytest.mark.parametrize(
    ("nic", "kind", "says"),
    [
        (None, NotFound, "no interface called eth3"),
        (replace(SPARE, has_default_route=True), Conflict, "default route leads through it"),
        (replace(SPARE, addresses=("10.0.0.1/24",)), Conflict, "the host would lose 10.0.0.1/24"),
        (replace(SPARE, carrier="br-eth3"), Conflict, "a port of bridge br-eth3"),
        (replace(SPARE, kind="veth"), BadRequest, "it is a veth, which the kernel would delete"),
        (replace(SPARE, ours=True), BadRequest, "it is no NIC"),
    ],
)
async def test_a_nic_that_is_needed_is_not_given_away(
    desk: Desk, nic: HostNic | None, kind: type[OvsnetError], says: str
) -> None:
    desk.nics = {} if nic is None else {"eth3": nic}
    assert says in await refusal(desk, "--nic eth3", kind)
    assert not desk.state.attachments


@pytest.mark.row(36)
async def test_several_are_on_one_nic_of_one_kind(desk: Desk) -> None:
    desk.nics = {"eth3": replace(SPARE, kind="veth", addresses=("10.0.0.1/24",), has_default_route=True)}
    one = await desk.attach("c1", "--macvlan eth3 --ip 192.0.2.7/24")
    two = await desk.attach("c2", "--macvlan eth3")
    assert one.mac != two.mac != SPARE.mac
    assert "c1 and the host itself do not reach each other; with --uplink eth3 they do" in remark(one)
    assert "a NIC carries one of both only" in await refusal(desk, "--ipvlan eth3", Conflict)
    assert "9001 is more than the 9000 bytes" in await refusal(desk, "--macvlan eth3 --mtu 9001", BadRequest)


@pytest.mark.row(35)
async def test_of_two_at_once_one_gets_the_nic() -> None:
    desk = with_nic(Desk(SlowStore(LOCAL)))
    found = await asyncio.gather(*(desk.attach(it, "--nic eth3") for it in ("c1", "c2")), return_exceptions=True)
    (refused,) = (it for it in found if isinstance(it, Conflict))
    assert "has it (NIC eth3)" in str(refused)
    assert len(desk.state.attachments) == 1


@pytest.mark.row(35, 36)
async def test_a_nic_that_somebody_has_becomes_no_uplink(desk: Desk) -> None:
    assert reserved(desk.state) == {}
    await desk.attach("c1", "--macvlan eth3")
    await desk.attach("c2", "--dummy")
    ((nic, why),) = reserved(desk.state).items()
    assert nic == "eth3"
    assert "c1" in why
    assert "'ovsnet detach'" in why
