"""Who may have a gateway on this host, and who may reach this host by it."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.egress import Exposure
from ovsnet.control.endpoints import Endpoints
from ovsnet.control.networks import Networks
from ovsnet.control.requests import EndpointRequest, NetworkRequest
from ovsnet.model.addressing import LOCAL_SPACE, Pool, space_of
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, IpNetwork, NetworkId, PoolId
from ovsnet.model.network import Egress, Mode, Network, NetworkOptions
from ovsnet.model.spaces import LAST, number_for
from ovsnet.model.state import State
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import EMPTY, WEB, WEB_ID, state

NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
REQUEST = NetworkRequest(
    id=NetworkId("c3" * 32),
    options={"egress": "nat"},
    ipv4=IPv4Network("10.40.0.0/24"),
    gateway4=IPv4Address("10.40.0.1"),
)


class Reconciler:
    """Answers at once, or refuses; remembers for which resources it was asked."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.resources: Sequence[str] = ()

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        self.resources = resources
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return True


def networks(*host: str) -> Networks:
    async def known() -> list[IpNetwork]:
        return [ip_network(it) for it in host]

    committer = Committer(MemoryStore(LOCAL, EMPTY))
    return Networks(committer, SwitchFacts, lambda: 1000.0, None, known)


def exposure(
    start: State, refusal: Exception | None = None, host: Sequence[IpNetwork] = ()
) -> tuple[Exposure, Committer[State]]:
    async def known() -> Sequence[IpNetwork]:
        return host

    committer = Committer(MemoryStore(LOCAL, start))
    return Exposure(committer, Reconciler(refusal), known, deadline=1.0), committer


def endpoints(start: State, reconciler: Reconciler) -> Endpoints:
    committer = Committer(MemoryStore(LOCAL, start))
    return Endpoints(committer, reconciler, clock=lambda: 1.0, new_prefix=lambda: "0a:00:00", deadline=1.0)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(REQUEST, internal=True), "egress=nat does not go with --internal"),
        (replace(REQUEST, options={"domain": "shop"}), "domain=shop does not go with egress=docker.*egress=nat or"),
        (replace(REQUEST, options={"domain": "shop", "egress": "none"}), "domain=shop does not go with egress=none"),
        (replace(REQUEST, options={"domain": "-", "egress": "nat"}), "domain='-' is not the name of a routing domain"),
        (replace(REQUEST, gateway4=None), "egress=nat needs a subnet with a gateway"),
        (replace(REQUEST, ipv4=None, gateway4=None), "egress=nat needs a subnet with a gateway"),
    ],
)
async def test_a_network_that_cannot_lead_out_is_refused_by_name(request_: NetworkRequest, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await networks().create(request_)


async def test_a_subnet_that_this_host_reaches_elsewhere_is_refused_and_only_where_the_host_is_the_gateway() -> None:
    with pytest.raises(Conflict, match=r"route to 10\.0\.0\.0/8, which overlaps its subnet 10\.40\.0\.0/24"):
        await networks("10.0.0.0/8").create(REQUEST)
    await networks("192.0.2.0/24", "::/1").create(REQUEST)
    await networks("10.0.0.0/8").create(replace(REQUEST, options={}))


async def test_networks_of_which_this_host_is_the_gateway_have_no_address_in_common_whatever_their_domains() -> None:
    door = networks()
    await door.create(replace(REQUEST, options={"egress": "nat", "domain": "one"}))
    other = replace(REQUEST, id=NetworkId("d4" * 32), ipv4=IPv4Network("10.40.0.128/25"))
    for domain in ("one", "two"):
        with pytest.raises(Conflict, match=r"subnet 10\.40\.0\.128/25 overlaps 10\.40\.0\.0/24 of network c3c3"):
            await door.create(replace(other, options={"egress": "routed", "domain": domain}))
    await door.create(replace(other, options={}))
    await door.create(
        replace(other, id=NetworkId("e5" * 32), ipv4=IPv4Network("10.41.0.0/24"), options={"egress": "nat"})
    )


def committer(*values: Network) -> Committer[State]:
    return Committer(MemoryStore(LOCAL, state(*values)))


def spaced(name: str, letter: str, subnet: str = "10.40.0.0/24", **options: str) -> tuple[NetworkRequest, Pool]:
    """A request for a network, and the pool by which its address space is known."""
    options.setdefault("egress", "nat")
    where = IPv4Network(subnet)
    request = replace(
        REQUEST, id=NetworkId(letter * 64), options=options, space4=LOCAL_SPACE, ipv4=where, gateway4=where[1]
    )
    return request, Pool(PoolId(letter), space_of(LOCAL_SPACE, name), where, created_at=ord(letter))


async def make(door: Networks, known: Committer[State], request: NetworkRequest, pool: Pool) -> Network:
    await known.commit(lambda _: ([Put(pool)], None))
    return await door.create(request)


async def test_in_address_spaces_of_their_own_they_have_and_each_space_has_a_number_that_stays() -> None:
    known = committer()
    door = Networks(known, SwitchFacts, lambda: 1000.0)
    made = [await make(door, known, *spaced(name, letter)) for name, letter in (("", "a"), ("blue", "b"), ("red", "c"))]
    assert [it.space_number for it in made] == [0, 1, 2]
    with pytest.raises(Conflict, match=r"overlaps 10\.40\.0\.0/24 of network bbbb.*--ipam-opt space=NAME"):
        await make(door, known, *spaced("blue", "d", "10.40.0.128/25"))
    apart, pool = spaced("blue", "8", "10.41.0.0/24")
    assert (await make(door, known, apart, pool)).space_number == 1
    assert (await door.create(apart)).space_number == 1, "again"
    await door.delete(made[1].id)
    assert (await make(door, known, *spaced("green", "e"))).space_number == 3, "one of blue is still there"
    await door.delete(made[2].id)
    assert (await make(door, known, *spaced("lime", "f"))).space_number == 2
    docker, its_pool = spaced("blue", "9", egress="docker")
    assert (await make(door, known, docker, its_pool)).space_number == 0


async def test_a_domain_is_in_one_address_space() -> None:
    known = committer()
    door = Networks(known, SwitchFacts, lambda: 1000.0)
    await make(door, known, *spaced("blue", "b", domain="shop"))
    with pytest.raises(Conflict, match="routing domain shop is in the address space 'blue', by network bbbb"):
        await make(door, known, *spaced("red", "c", domain="shop"))
    with pytest.raises(Conflict, match="and not in the address space of networks that name none"):
        await make(door, known, *spaced("", "d", domain="shop"))


async def test_who_is_elsewhere_has_one_route_to_an_address_so_routed_networks_are_in_the_common_space() -> None:
    known = committer()
    door = Networks(known, SwitchFacts, lambda: 1000.0)
    with pytest.raises(BadRequest, match=r"does not go with the address space 'blue': .* use egress=nat"):
        await make(door, known, *spaced("blue", "b", egress="routed"))


def test_a_host_is_the_gateway_of_networks_in_so_many_spaces_and_no_more() -> None:
    others = [replace(NAT, space=f"s{at}", space_number=at) for at in range(1, LAST + 1)]
    assert number_for(replace(NAT, space="s7"), others) == 7
    with pytest.raises(Conflict, match="networks in 254 address spaces"):
        number_for(replace(NAT, space="one more"), others)


async def test_a_repetition_does_not_mind_its_own_route() -> None:
    door = networks()
    made = await door.create(REQUEST)
    assert await door.create(REQUEST) == made


async def test_a_container_is_told_the_gateway_and_waits_for_it() -> None:
    reconciler = Reconciler()
    door = endpoints(state(NAT), reconciler)
    request = EndpointRequest(EndpointId("e5" * 32), WEB_ID, ipv4=IPv4Interface("10.20.0.9/24"))
    await door.create(request)
    joined = await door.join(WEB_ID, request.id, "/run/docker/netns/1")
    assert joined.gateway4 == NAT.gateway4
    assert joined.gateway6 is None, "it has no IPv6 address"
    assert joined.publishes
    assert not joined.no_gateway_bridge, "or an engine would not see the gateway beside a network with Docker's way out"
    assert reconciler.resources[1:] == ("ovgpa", "firewall of gateways")


async def test_an_endpoint_has_no_vlan_that_the_gateway_is_not_in() -> None:
    request = EndpointRequest(EndpointId("e5" * 32), WEB_ID, options={"vlan": "20"})
    with pytest.raises(BadRequest, match="egress=nat, whose gateway is in the network's own VLAN"):
        await endpoints(state(NAT), Reconciler()).create(request)


async def test_a_network_is_exposed_and_hidden_again() -> None:
    door, committer = exposure(state(WEB))
    assert (await door.expose("web")).exposed
    assert (await door.expose("web")).exposed
    assert committer.snapshot().networks[WEB_ID].exposed
    assert not (await door.hide("web")).exposed
    assert committer.snapshot().networks[WEB_ID] == WEB


async def test_what_the_host_refuses_is_not_exposed_afterwards() -> None:
    door, committer = exposure(state(WEB), ApplyError("ovgpa", "no"))
    with pytest.raises(ApplyError):
        await door.expose("web")
    assert committer.snapshot().networks[WEB_ID] == WEB


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (replace(WEB, options=NetworkOptions(mode=Mode.UPLINK, uplink="eth0")), "mode=uplink"),
        (replace(WEB, options=NetworkOptions(mode=Mode.UNDERLAY)), "mode=underlay"),
        (replace(WEB, space="blue"), "expose does not go with the address space 'blue': .* publish a port"),
        (replace(NAT, space="blue", space_number=1), "expose does not go with the address space 'blue'"),
        (replace(WEB, gateway6=None), "for every IP version"),
    ],
)
async def test_what_has_another_gateway_or_none_cannot_be_exposed(network: Network, words: str) -> None:
    door, committer = exposure(state(network))
    with pytest.raises(BadRequest, match=words):
        await door.expose("web")
    assert committer.snapshot() == state(network)


async def test_nothing_is_exposed_whose_addresses_another_gateway_here_has() -> None:
    twin = replace(NAT, id=NetworkId("c3" * 32), name="twin", ipv6=None, gateway6=None)
    door, committer = exposure(state(WEB, twin))
    with pytest.raises(Conflict, match=r"subnet 10\.20\.0\.0/24 overlaps 10\.20\.0\.0/24 of network twin"):
        await door.expose("web")
    assert committer.snapshot() == state(WEB, twin)


async def test_nothing_is_exposed_that_this_host_reaches_elsewhere_or_that_is_not_there() -> None:
    door, _ = exposure(state(WEB), host=[ip_network("fd00::/16")])
    with pytest.raises(Conflict, match="overlaps its subnet fd00:20::/64"):
        await door.expose("web")
    with pytest.raises(NotFound):
        await door.hide("wbe")
