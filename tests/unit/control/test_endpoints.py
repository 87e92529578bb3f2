"""The life of an endpoint."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Beside, Endpoints
from ovsnet.control.kernel import Kernel
from ovsnet.control.requests import EndpointRequest
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.ids import EndpointId, Mac, NetworkId, SharedId
from ovsnet.model.network import Egress, Mode, NetworkOptions
from ovsnet.model.state import State
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import FAST, ONE_ENDPOINT, ONE_NETWORK, WEB, WEB_ID, endpoint, state

ID = EndpointId("e5" * 32)
REQUEST = EndpointRequest(id=ID, network_id=WEB_ID, ipv4=IPv4Interface("10.20.0.9/24"))


class Reconciler:
    """Answers at once, or refuses."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.awaited: list[int] = []

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        self.awaited.append(revision)
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return self.refusal is None


def door(
    start: State = ONE_NETWORK, refusal: Exception | None = None, reconciler: Reconciler | None = None
) -> tuple[Endpoints, Committer[State]]:
    committer = Committer(MemoryStore(LOCAL, start))
    return door_of(committer, reconciler or Reconciler(refusal)), committer


def door_of(committer: Committer[State], reconciler: Reconciler) -> Endpoints:
    return Endpoints(committer, reconciler, clock=lambda: 1000.0, new_prefix=lambda: "0a:11:22", deadline=5.0)


async def test_macs_are_never_used_twice() -> None:
    endpoints, committer = door()
    seen = set()
    for _ in range(3):
        seen.add((await endpoints.create(REQUEST)).mac)
        await endpoints.delete(WEB_ID, ID)
    assert len(seen) == 3
    assert not committer.snapshot().endpoints


async def test_a_mac_the_user_chose_is_kept() -> None:
    endpoints, _ = door()
    assert (await endpoints.create(replace(REQUEST, mac=Mac("02:00:00:00:00:99")))).mac == "02:00:00:00:00:99"


async def test_creating_it_again_gives_the_same_endpoint() -> None:
    endpoints, committer = door()
    first = await endpoints.create(REQUEST)
    before = committer.snapshot()
    assert await endpoints.create(REQUEST) == first
    assert committer.snapshot() == before


async def test_an_address_that_is_taken_is_refused_with_its_holder() -> None:
    endpoints, committer = door(ONE_ENDPOINT)
    before = committer.snapshot()
    with pytest.raises(Conflict, match=r"address 10\.20\.0\.2 is held by c1"):
        await endpoints.create(replace(REQUEST, ipv4=IPv4Interface("10.20.0.2/24")))
    assert committer.snapshot() == before


async def test_a_mac_that_is_taken_is_refused_with_its_holder() -> None:
    endpoints, _ = door(ONE_ENDPOINT)
    with pytest.raises(Conflict, match="0a:00:00:00:00:01 is held by c1"):
        await endpoints.create(replace(REQUEST, mac=Mac("0a:00:00:00:00:01")))


async def test_the_gateways_mac_is_nobody_elses() -> None:
    endpoints, committer = door()
    with pytest.raises(Conflict, match="is the gateway's"):
        await endpoints.create(replace(REQUEST, mac=GATEWAY_MAC))
    assert not committer.snapshot().endpoints


async def test_unknown_endpoint_options_are_refused_by_name() -> None:
    endpoints, committer = door()
    with pytest.raises(BadRequest, match="'speed' is not known; known are: vlan, rate"):
        await endpoints.create(replace(REQUEST, options={"speed": "11"}))
    assert not committer.snapshot().endpoints


async def test_the_engines_own_options_are_not_the_users() -> None:
    endpoints, _ = door()
    assert (await endpoints.create(replace(REQUEST, options={"com.docker.network.x": "1", "vlan": "20"}))).vlan == 20


@pytest.mark.row(14, 85)
async def test_a_rate_is_kept_and_refused_where_it_cannot_be() -> None:
    endpoints, committer = door()
    assert (await endpoints.create(replace(REQUEST, options={"rate": "100mbit"}))).rate == 100_000_000
    with pytest.raises(Conflict, match="other settings"):
        await endpoints.create(replace(REQUEST, options={"rate": "0"}))
    for text, says in (("fast", "rate='fast'"), ("1tbit", "the unit must be one of"), ("", "is no rate")):
        with pytest.raises(BadRequest, match=says):
            await endpoints.create(replace(REQUEST, id=EndpointId("e6" * 32), options={"rate": text}))
    assert len(committer.snapshot().endpoints) == 1
    endpoints, committer = door(state(FAST))
    with pytest.raises(BadRequest, match="port=internal"):
        await endpoints.create(EndpointRequest(id=ID, network_id=FAST.id, options={"rate": "1mbit"}))
    assert not committer.snapshot().endpoints


@pytest.mark.row(85)
async def test_a_kernel_that_cannot_bound_is_told_of_before_anything_is_wanted() -> None:
    bounded = replace(WEB, options=NetworkOptions(rate=1_000_000))
    committer = Committer(MemoryStore(LOCAL, state(bounded)))

    async def lacks(kinds: Collection[str]) -> Collection[str]:
        return {"htb"} & set(kinds)

    endpoints = Endpoints(
        committer,
        Reconciler(),
        clock=lambda: 1000.0,
        new_prefix=lambda: "0a:11:22",
        deadline=5.0,
        beside=Beside(kernel=Kernel(lacks)),
    )
    with pytest.raises(Conflict, match=r"a rate needs .* sch_htb"):
        await endpoints.create(REQUEST)
    await endpoints.create(replace(REQUEST, options={"rate": "0"}))
    assert [it.rate for it in committer.snapshot().endpoints.values()] == [0]


async def test_an_unknown_network_is_named() -> None:
    endpoints, _ = door()
    with pytest.raises(NotFound, match="network dddddddddddd is not known"):
        await endpoints.create(replace(REQUEST, network_id=NetworkId("d" * 64)))


async def test_joining_tells_the_interface_and_no_gateway() -> None:
    endpoints, committer = door()
    await endpoints.create(REQUEST)
    joined = await endpoints.join(WEB_ID, ID, "/run/docker/netns/x")
    assert (joined.source, joined.prefix) == ("oce5e5e5e5e5e", "eth")
    assert joined.gateway4 is None
    assert not joined.no_gateway_bridge
    assert committer.snapshot().endpoints[ID].sandbox == "/run/docker/netns/x"


async def test_egress_none_keeps_dockers_gateway_bridge_out() -> None:
    closed = replace(WEB, options=NetworkOptions(egress=Egress.NONE))
    endpoints, _ = door(state(closed))
    await endpoints.create(REQUEST)
    joined = await endpoints.join(WEB_ID, ID, "/x")
    assert (joined.no_gateway_bridge, joined.publishes) == (True, False)


async def test_an_internal_port_is_renamed_to_its_own_name() -> None:
    endpoints, _ = door(state(FAST))
    await endpoints.create(replace(REQUEST, network_id=FAST.id))
    joined = await endpoints.join(FAST.id, ID, "/x")
    assert joined.source == f"{joined.prefix}0"


async def test_a_join_that_fails_leaves_nothing_wanted() -> None:
    endpoints, committer = door(refusal=ApplyError("ports", "ovs-vswitchd is away"))
    await endpoints.create(REQUEST)
    with pytest.raises(ApplyError, match="ovs-vswitchd is away"):
        await endpoints.join(WEB_ID, ID, "/x")
    assert not committer.snapshot().endpoints[ID].plugged


async def test_leave_and_delete_may_come_any_number_of_times() -> None:
    endpoints, committer = door()
    await endpoints.create(REQUEST)
    await endpoints.join(WEB_ID, ID, "/x")
    for _ in range(2):
        await endpoints.leave(WEB_ID, ID)
    assert not committer.snapshot().endpoints[ID].plugged
    for _ in range(2):
        await endpoints.delete(WEB_ID, ID)
    await endpoints.leave(WEB_ID, ID)
    assert not committer.snapshot().endpoints


async def test_deleting_succeeds_while_the_switch_is_away() -> None:
    endpoints, committer = door(ONE_ENDPOINT, refusal=ApplyError("ports", "away"))
    await endpoints.delete(WEB_ID, endpoint(1).id)
    assert not committer.snapshot().endpoints


async def test_joining_waits_for_no_more_rounds_than_creating_needed() -> None:
    reconciler = Reconciler()
    endpoints, committer = door(reconciler=reconciler)
    await endpoints.create(REQUEST)
    created = committer.snapshot().revision
    await endpoints.join(WEB_ID, ID, "/x")
    assert reconciler.awaited == [created]
    assert committer.snapshot().revision > created


async def test_an_agent_that_was_restarted_in_between_waits_for_a_round_of_its_own() -> None:
    _, committer = door()
    await door_of(committer, Reconciler()).create(REQUEST)
    restarted = Reconciler()
    await door_of(committer, restarted).join(WEB_ID, ID, "/x")
    assert restarted.awaited == [committer.snapshot().revision]


async def test_a_container_is_given_the_way_to_the_name_service_until_it_leaves() -> None:
    committer = Committer(MemoryStore(LOCAL, ONE_NETWORK))
    endpoints = Endpoints(
        committer,
        Reconciler(),
        clock=lambda: 1000.0,
        new_prefix=lambda: "0a:11:22",
        deadline=5.0,
        beside=Beside(IPv4Address("169.254.83.83")),
    )
    await endpoints.create(REQUEST)
    for _ in range(2):
        assert (await endpoints.join(WEB_ID, ID, "/x")).routes == (IPv4Network("169.254.83.83/32"),)
    await endpoints.leave(WEB_ID, ID)
    assert committer.snapshot().endpoints[ID].names_route is None


async def test_where_no_names_are_served_no_route_is_given() -> None:
    endpoints, _ = door()
    await endpoints.create(REQUEST)
    assert (await endpoints.join(WEB_ID, ID, "/x")).routes == ()


async def test_the_name_services_mac_is_refused() -> None:
    endpoints, _ = door()
    with pytest.raises(Conflict, match="name service"):
        await endpoints.create(replace(REQUEST, mac=SERVICE_MAC))


async def test_an_endpoint_of_a_network_of_all_hosts_has_no_vlan_of_its_own() -> None:
    endpoints, committer = door(state(replace(WEB, shared=SharedId(WEB_ID), options=NetworkOptions(mode=Mode.OVERLAY))))
    with pytest.raises(BadRequest, match=r"network web has mode=overlay.*leave the driver option vlan out"):
        await endpoints.create(replace(REQUEST, options={"vlan": "7"}))
    assert not committer.snapshot().endpoints
    assert (await endpoints.create(REQUEST)).vlan is None
