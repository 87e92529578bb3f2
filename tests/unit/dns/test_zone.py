"""Who may ask for which name, and what it stands for."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.dns.tables import ClusterNames, LocalNames, Scope
from ovsnet.dns.zone import Answer, Asker, Verdict, Zone
from ovsnet.model.cluster import Cluster, Record
from ovsnet.model.ids import EndpointId, HostName, NetworkId, Vni
from ovsnet.model.state import State
from tests.states import endpoint, state
from tests.unit.dns.worlds import (
    ALSO_ON_DB,
    DB_SHARED,
    HERE_DB,
    HERE_WEB,
    LOCAL,
    ON_DB,
    ON_OWN,
    ON_WEB,
    OWN,
    WEB_SHARED,
    A,
    B,
    C,
    cluster,
    remote,
)

ONE, TWO, THREE = "10.20.0.2", "10.30.0.3", "10.30.0.4"
REPLICAS = cluster(remote(50, "api-1", "api"), remote(51, "api-2", "api", host=C), remote(52, "api-3", "api", host=C))


def zone(shared: Cluster | None = None, local: State = LOCAL, dead: Iterable[HostName] = ()) -> Zone:
    there = ClusterNames(shared or cluster(), here=A, dead=frozenset(dead), domain="ovsnet.internal")
    return Zone(LocalNames(local), there, domain="ovsnet.internal")


def ask(name: str, *, of: Zone, source: str = ONE, kind: RdataType = RdataType.A) -> Answer:
    return of.lookup(name, kind, of.asker(ip_address(source)))


def addresses(answer: Answer) -> set[str]:
    return {str(it) for it in answer.addresses}


# ---------------------------------------------------------------- names of a network


@pytest.mark.row(79)
def test_a_container_on_another_host_is_known_by_its_name_and_its_alias() -> None:
    there = zone(cluster(remote(50, "c9", "cache")))
    assert addresses(ask("c9", of=there)) == addresses(ask("cache", of=there)) == {"10.20.0.50"}


@pytest.mark.row(79)
def test_names_of_networks_the_asker_is_not_on_are_not_ours_to_answer() -> None:
    there = zone(cluster(remote(50, "c9")))
    assert ask("c9", of=there, source=THREE).verdict is Verdict.NOT_OURS
    assert ask("c9.web", of=there, source=THREE).verdict is Verdict.NOT_OURS


@pytest.mark.row(79)
def test_under_our_domain_names_of_other_networks_do_not_exist() -> None:
    there = zone(cluster(remote(50, "c9")))
    answer = ask("c9.ovsnet.internal", of=there, source=THREE)
    assert answer == Answer(Verdict.NO_NAME, ours=True)


@pytest.mark.parametrize("name", ["c9", "c9.web", "c9.ovsnet.internal", "c9.web.ovsnet.internal", "C9.Web.", "c9."])
def test_a_name_may_be_written_in_full_and_in_any_case(name: str) -> None:
    assert addresses(ask(name, of=zone(cluster(remote(50, "c9"))))) == {"10.20.0.50"}


@pytest.mark.parametrize("name", ["c9.db", "c9.db.ovsnet.internal", "c9.web.web", "xc9", "web", "9"])
def test_a_name_of_the_network_that_is_not_its_own_does_not_help(name: str) -> None:
    assert not ask(name, of=zone(cluster(remote(50, "c9")))).addresses


def test_who_is_on_two_networks_knows_the_names_of_both() -> None:
    both = zone(cluster(remote(50, "c9"), remote(60, "store", network=DB_SHARED)))
    assert addresses(ask("c9", of=both)) == {"10.20.0.50"}
    assert addresses(ask("store", of=both)) == {"10.30.0.60"}
    assert addresses(ask("c9", of=both, source=TWO)) == {"10.20.0.50"}


def test_containers_of_this_host_are_answered_as_well() -> None:
    assert addresses(ask("c3", of=zone())) == {THREE}
    assert addresses(ask("front", of=zone())) == {ONE}
    assert addresses(ask("c1", of=zone(), source=THREE)) == {TWO}


def test_aliases_of_this_hosts_containers_are_known() -> None:
    here = zone(local=state(HERE_WEB, HERE_DB, ON_WEB, ALSO_ON_DB, replace(ON_DB, aliases=("main",))))
    assert addresses(ask("main", of=here)) == {THREE}


def test_a_network_of_this_host_alone_has_names_too() -> None:
    assert addresses(ask("c4.own.ovsnet.internal", of=zone(), source=str(ON_OWN.ipv4 and ON_OWN.ipv4.ip))) == {
        "10.40.0.5"
    }


@pytest.mark.row(80)
def test_all_replicas_are_answered_wherever_they_are() -> None:
    assert addresses(ask("api", of=zone(REPLICAS))) == {"10.20.0.50", "10.20.0.51", "10.20.0.52"}


@pytest.mark.row(80)
def test_what_a_dead_host_had_is_left_out() -> None:
    assert addresses(ask("api", of=zone(REPLICAS, dead=[C]))) == {"10.20.0.50"}
    assert ask("api", of=zone(REPLICAS, dead=[B, C])).verdict is Verdict.NOT_OURS


@pytest.mark.row(80)
def test_an_unplugged_endpoint_has_no_name_and_may_ask_for_none() -> None:
    gone = zone(local=state(HERE_WEB, HERE_DB, ON_WEB, ALSO_ON_DB, replace(ON_DB, plugged=False)))
    assert ask("c3", of=gone).verdict is Verdict.NOT_OURS
    assert gone.asker(ip_address(THREE)) is None


def test_what_this_host_published_and_has_no_more_is_left_out() -> None:
    assert ask("old", of=zone(cluster(remote(50, "old", host=A)))).verdict is Verdict.NOT_OURS


def test_a_known_name_without_that_kind_of_address_is_known_all_the_same() -> None:
    both = zone(cluster(remote(50, "c9"), remote(60, "store", network=DB_SHARED)))
    assert addresses(ask("c9", of=both, kind=RdataType.AAAA)) == {"fd00:20::32"}
    assert ask("store", of=both, kind=RdataType.AAAA) == Answer(Verdict.NO_DATA)
    assert ask("c9", of=both, kind=RdataType.MX) == Answer(Verdict.NO_DATA)
    assert addresses(ask("c9", of=both, kind=RdataType.ANY)) == {"10.20.0.50", "fd00:20::32"}


def test_our_domain_and_a_network_under_it_exist_and_stand_for_nothing() -> None:
    for name in ("ovsnet.internal", "web.ovsnet.internal"):
        assert ask(name, of=zone()) == Answer(Verdict.NO_DATA, ours=True)
    assert ask("own.ovsnet.internal", of=zone()).verdict is Verdict.NO_NAME


def test_a_name_that_only_ends_like_our_domain_is_not_under_it() -> None:
    assert ask("notovsnet.internal", of=zone()).verdict is Verdict.NOT_OURS


# ---------------------------------------------------------------- who asks


def test_who_is_no_container_of_ours_learns_no_name_of_ours() -> None:
    there = zone(cluster(remote(50, "c9")))
    assert ask("c9", of=there, source="192.0.2.1").verdict is Verdict.NOT_OURS
    assert ask("c9.ovsnet.internal", of=there, source="192.0.2.1").verdict is Verdict.NO_NAME
    assert ask("50.0.20.10.in-addr.arpa", of=there, source="192.0.2.1").verdict is Verdict.NOT_OURS


def test_an_address_that_two_networks_gave_away_names_nobody() -> None:
    twice = replace(OWN, ipv4=HERE_WEB.ipv4)
    assert (
        zone(local=state(HERE_WEB, twice, ON_WEB, replace(endpoint(1, twice), id=ON_OWN.id))).asker(ip_address(ONE))
        is None
    )


def test_a_container_is_recognised_by_its_id_where_its_namespace_is_not_known() -> None:
    parts = [replace(it, sandbox="", container_id="c" * 64) for it in (ON_WEB, ALSO_ON_DB)]
    asker = zone(local=state(HERE_WEB, HERE_DB, *parts)).asker(ip_address(ONE))
    assert asker == Asker(frozenset({Scope(WEB_SHARED), Scope(DB_SHARED)}), mtu=1450)


def test_the_smallest_mtu_of_who_asks_is_known() -> None:
    assert zone().asker(ip_address(ONE)) == Asker(frozenset({Scope(WEB_SHARED), Scope(DB_SHARED)}), mtu=1450)


# ---------------------------------------------------------------- reverse


@pytest.mark.row(81)
def test_an_address_leads_back_to_the_containers_name() -> None:
    there = zone(cluster(remote(50, "c9", "cache")))
    answer = ask("50.0.20.10.in-addr.arpa", of=there, kind=RdataType.PTR)
    assert answer == Answer(Verdict.FOUND, names=("c9.web.ovsnet.internal",))
    assert ask(IPv6Address("fd00:20::32").reverse_pointer, of=there, kind=RdataType.PTR).names == answer.names
    assert addresses(ask(answer.names[0], of=there)) == {"10.20.0.50"}


@pytest.mark.row(81)
def test_a_free_address_of_an_own_subnet_has_no_name_and_nobody_else_is_asked() -> None:
    assert ask("77.0.20.10.in-addr.arpa", of=zone(), kind=RdataType.PTR).verdict is Verdict.NO_NAME


@pytest.mark.parametrize("name", ["8.8.8.8.in-addr.arpa", "20.10.in-addr.arpa", "x.in-addr.arpa", "4.0.30.11.ip6.arpa"])
def test_other_addresses_are_not_ours(name: str) -> None:
    assert ask(name, of=zone(), kind=RdataType.PTR).verdict is Verdict.NOT_OURS


def test_addresses_of_networks_the_asker_is_not_on_are_not_ours() -> None:
    there = zone(cluster(remote(50, "c9")))
    assert ask("50.0.20.10.in-addr.arpa", of=there, source=THREE, kind=RdataType.PTR).verdict is Verdict.NOT_OURS


# ---------------------------------------------------------------- by hand


@pytest.mark.row(81)
def test_a_record_holds_on_all_networks_or_on_one() -> None:
    outside = IPv4Address("192.0.2.9")
    everywhere = zone(cluster(Record("Legacy", outside, B)))
    on_web = zone(cluster(Record("legacy", outside, B, network=WEB_SHARED)))
    for name in ("legacy", "legacy.ovsnet.internal"):
        assert addresses(ask(name, of=everywhere, source=THREE)) == {"192.0.2.9"}
        assert addresses(ask(name, of=on_web)) == {"192.0.2.9"}
        assert not ask(name, of=on_web, source=THREE).addresses
    assert ask("9.2.0.192.in-addr.arpa", of=everywhere, kind=RdataType.PTR).names == ("legacy.ovsnet.internal",)


def test_a_record_may_be_written_with_our_domain_and_with_any_other() -> None:
    records = zone(
        cluster(
            Record("db.ovsnet.internal", IPv4Address("192.0.2.9"), B),
            Record("www.example.com", IPv4Address("192.0.2.10"), B),
        )
    )
    assert addresses(ask("db", of=records)) == {"192.0.2.9"}
    assert addresses(ask("www.example.com", of=records)) == {"192.0.2.10"}
    assert ask("com.ovsnet.internal", of=records).verdict is Verdict.NO_DATA


def test_a_record_outlives_the_host_where_it_was_added() -> None:
    records = zone(cluster(Record("legacy", IPv4Address("192.0.2.9"), B)), dead=[B])
    assert addresses(ask("legacy", of=records)) == {"192.0.2.9"}


# ---------------------------------------------------------------- for people


@pytest.mark.row(82)
def test_a_person_at_the_host_sees_all_networks_or_the_one_that_is_named() -> None:
    there = zone(cluster(remote(50, "c9"), Record("legacy", IPv4Address("192.0.2.9"), B)))
    assert addresses(there.lookup("c9", RdataType.A, there.anybody())) == {"10.20.0.50"}
    assert addresses(there.lookup("c9", RdataType.A, there.anybody("WEB"))) == {"10.20.0.50"}
    assert not there.lookup("c9", RdataType.A, there.anybody("db")).addresses
    assert addresses(there.lookup("legacy", RdataType.A, there.anybody("nowhere"))) == {"192.0.2.9"}


# ---------------------------------------------------------------- laws

NAMES = st.text(st.sampled_from("abAB.-_9"), min_size=1, max_size=12)


@given(
    st.lists(st.tuples(NAMES, st.sampled_from([WEB_SHARED, DB_SHARED])), max_size=6),
    NAMES,
    st.sampled_from([ONE, THREE]),
)
def test_nothing_is_ever_said_of_a_network_the_asker_is_not_on(
    given_names: list[tuple[str, str]], asked: str, source: str
) -> None:
    endpoints = [remote(50 + at, name, network=network) for at, (name, network) in enumerate(given_names)]  # type: ignore[arg-type]
    there = zone(cluster(*endpoints))
    asker = there.asker(ip_address(source))
    assert asker is not None
    visible = {it.ipv4 for it in endpoints if Scope(it.network) in asker.scopes}
    for name in (asked, f"{asked}.ovsnet.internal", f"{asked}.web", f"{asked}.db.ovsnet.internal"):
        assert set(ask(name, of=there, source=source).addresses) <= visible


@given(NAMES, NAMES)
def test_a_name_that_is_given_is_found_by_whoever_is_on_its_network(name: str, other: str) -> None:
    there = zone(cluster(remote(50, name), remote(51, other)))
    if name.strip("."):
        assert IPv4Address("10.20.0.50") in ask(f"{name.strip('.')}.ovsnet.internal", of=there).addresses


# ---------------------------------------------------------------- address spaces


BLUE = replace(OWN, id=NetworkId("d4" * 32), vni=Vni(13), name="blue", space="blue")
IN_BLUE = replace(endpoint(4, BLUE), id=EndpointId("b1" * 32), container_name="hidden", sandbox="/run/netns/blue")
ALIAS = ip_address("240.79.0.9")


@pytest.mark.row(78)
def test_who_has_an_address_in_two_spaces_is_told_apart_by_the_alias() -> None:
    local = state(*LOCAL.networks.values(), BLUE, *LOCAL.endpoints.values(), IN_BLUE)
    names = LocalNames(local, lambda source: IN_BLUE.id if source == ALIAS else None)
    shared = ClusterNames(cluster(), here=A, dead=frozenset(), domain="ovsnet.internal")
    there = Zone(names, shared, domain="ovsnet.internal")
    assert IN_BLUE.ipv4 == ON_OWN.ipv4
    assert addresses(ask("hidden", of=there, source=str(ALIAS))) == {"10.40.0.5"}
    assert ask("c4", of=there, source=str(ALIAS)).verdict is Verdict.NOT_OURS
    assert addresses(ask("c4", of=there, source="10.40.0.5")) == {"10.40.0.5"}
    assert ask("hidden", of=there, source="10.40.0.5").verdict is Verdict.NOT_OURS


@pytest.mark.row(78)
def test_an_alias_whose_endpoint_is_gone_asks_in_vain() -> None:
    shared = ClusterNames(cluster(), here=A, dead=frozenset(), domain="ovsnet.internal")
    there = Zone(LocalNames(LOCAL, lambda _: IN_BLUE.id), shared, domain="ovsnet.internal")
    assert there.asker(ALIAS) is None
