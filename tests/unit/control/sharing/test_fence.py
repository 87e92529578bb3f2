"""What keeps still although this host's own store wants it."""

from dataclasses import replace
from ipaddress import ip_address

from ovsnet.control.sharing.fence import Fence
from ovsnet.model.cluster import Cluster, Lease, Member, SharedNetwork
from ovsnet.model.ids import HostName, SharedId, Vni
from tests.states import WEB, endpoint, state

ME, OTHER = HostName("h1"), HostName("h2")
SHARED_ID = SharedId("web-shared")
ONE, TWO = endpoint(1), endpoint(2)
HERE = state(replace(WEB, shared=SHARED_ID), ONE, TWO)
MEMBERS = {it: Member(it, ip_address("10.0.0.1"), ip_address("10.0.0.1")) for it in (ME, OTHER)}


def leased(*pairs: tuple[object, HostName], members: dict[HostName, Member] = MEMBERS) -> Cluster:
    leases = [Lease(SHARED_ID, ip_address(str(address)), host) for address, host in pairs]
    networks = {SHARED_ID: SharedNetwork(SHARED_ID, Vni(1), ME)}
    return Cluster(members=members, networks=networks, leases={it.key: it for it in leases})


def address(number: int) -> object:
    face = endpoint(number).ipv4
    assert face is not None
    return face.ip


def test_what_is_ours_is_shown_as_it_is() -> None:
    fence = Fence(ME, lambda: leased((address(1), ME), (address(2), ME)))
    assert fence.permitted(HERE) is HERE
    assert not fence.fenced


def test_an_address_that_is_another_hosts_by_now_is_not_plugged_here() -> None:
    fence = Fence(ME, lambda: leased((address(1), ME), (address(2), OTHER)))
    shown = fence.permitted(HERE)
    assert (shown.endpoints[ONE.id].plugged, shown.endpoints[TWO.id].plugged) == (True, False)
    assert shown.revision == HERE.revision
    assert fence.fenced == {TWO.id}


def test_a_host_that_was_forgotten_forwards_for_nobody_on_shared_networks() -> None:
    fence = Fence(ME, lambda: leased(members={OTHER: MEMBERS[OTHER]}))
    assert not any(it.plugged for it in fence.permitted(HERE).endpoints.values())
    alone = state(WEB, ONE)
    assert fence.permitted(alone) is alone


def test_before_the_cluster_was_seen_nothing_is_fenced() -> None:
    assert Fence(ME, Cluster).permitted(HERE) is HERE


def test_the_same_inputs_give_the_same_value() -> None:
    cluster = leased((address(2), OTHER))
    fence = Fence(ME, lambda: cluster)
    assert fence.permitted(HERE) is fence.permitted(HERE)
