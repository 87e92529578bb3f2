"""Creating and deleting networks."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.networks import Networks
from ovsnet.control.requests import NetworkRequest
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import NetworkId
from ovsnet.model.network import PortKind
from ovsnet.model.state import State
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import EMPTY, TWO_NETWORKS, WEB_ID

REQUEST = NetworkRequest(id=NetworkId("c3" * 32), ipv4=IPv4Network("10.40.0.0/24"), gateway4=IPv4Address("10.40.0.1"))


def networks(start: State = EMPTY, datapath: Datapath = Datapath.KERNEL) -> tuple[Networks, Committer[State]]:
    committer = Committer(MemoryStore(LOCAL, start))
    return Networks(committer, lambda: SwitchFacts(datapath=datapath), lambda: 1000.0), committer


async def test_a_new_network_has_a_number_of_its_own() -> None:
    door, committer = networks()
    for number in range(50):
        await door.create(replace(REQUEST, id=NetworkId(f"{number:064x}")))
    assert len({it.vni for it in committer.snapshot().networks.values()}) == 50


async def test_creating_it_again_changes_nothing() -> None:
    door, committer = networks()
    first = await door.create(REQUEST)
    before = committer.snapshot()
    assert await door.create(REQUEST) == first
    assert committer.snapshot() == before


async def test_creating_it_again_otherwise_is_refused() -> None:
    door, committer = networks()
    await door.create(REQUEST)
    before = committer.snapshot()
    with pytest.raises(Conflict, match="other settings"):
        await door.create(replace(REQUEST, internal=True))
    assert committer.snapshot() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": "red"}, "'colour' is not known; known are: mode, vlan"),
        ({"vlan": "4095"}, "from 1 to 4094"),
        ({"vlan": "0"}, "from 1 to 4094"),
        ({"mtu": "big"}, "mtu='big' is not an MTU"),
        ({"egress": "routed", "mode": "underlay"}, "in no cluster"),
        ({"mode": "magic"}, "use one of: bridge"),
        ({"egress": "magic"}, "egress='magic' is not known; use one of: docker, nat, routed, none, lan"),
        ({"icc": "maybe"}, "use one of: true, false"),
        ({"port": "tap"}, "use one of: veth, internal"),
        ({"vni": "0"}, "vni='0' is not a VNI; use a whole number from 1 to 16777214"),
        ({"vni": "16777215"}, "is not a VNI"),
        ({"mode": "overlay"}, "'ovsnet cluster init'.*'ovsnet cluster join'"),
        ({"com.docker.network.driver.mtu": "1"}, "mtu='1' is not an MTU"),
        ({"vlan": "x", "mtu": "y"}, "mtu='y'.*vlan='x'"),
        ({"rate": "fast"}, "rate='fast' cannot be understood; write it like 100mbit"),
        ({"rate": ""}, "rate='' is no rate"),
        ({"rate": "1mbit", "port": "internal"}, "rate of an internal port cannot be bound"),
    ],
)
async def test_bad_options_are_refused_by_name(options: dict[str, str], words: str) -> None:
    door, committer = networks()
    with pytest.raises(BadRequest, match=words):
        await door.create(replace(REQUEST, options=options))
    assert not committer.snapshot().networks


async def test_good_options_are_taken() -> None:
    door, _ = networks()
    options = {
        "vlan": "20",
        "mtu": "9000",
        "icc": "false",
        "egress": "none",
        "port": "internal",
        "mode": "bridge",
    }
    made = (await door.create(replace(REQUEST, options=options))).options
    assert (made.vlan, made.mtu, made.icc, made.egress, made.port) == (
        20,
        9000,
        False,
        "none",
        PortKind.INTERNAL,
    )


async def test_a_number_can_be_chosen_and_is_given_once() -> None:
    door, _ = networks(TWO_NETWORKS)
    assert (await door.create(replace(REQUEST, options={"vni": "5001"}))).vni == 5001
    other = replace(REQUEST, id=NetworkId("d4" * 32), options={"vni": "10"})
    with pytest.raises(Conflict, match="vni=10 is the number of network web"):
        await door.create(other)


async def test_internal_ports_are_refused_in_the_userspace_datapath() -> None:
    door, _ = networks(datapath=Datapath.USERSPACE)
    with pytest.raises(BadRequest, match="needs the kernel datapath"):
        await door.create(replace(REQUEST, options={"port": "internal"}))


async def test_deleting_takes_forgotten_endpoints_along_and_is_repeatable() -> None:
    door, committer = networks(TWO_NETWORKS)
    await door.delete(WEB_ID)
    await door.delete(WEB_ID)
    left = committer.snapshot()
    assert [it.name for it in left.networks.values()] == ["db"]
    assert len(left.endpoints) == 2
