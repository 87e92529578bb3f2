"""Who is let in, who goes, and what a host may ask of another one."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest
from cryptography.x509 import load_pem_x509_certificate

from ovsnet.cluster import authority, peer_messages, tokens
from ovsnet.cluster.identity import IdentityFiles, write_private
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.control.membership.members import About, Members, voters_of, with_role
from ovsnet.model.cluster import (
    Beat,
    Cluster,
    ClusterInfo,
    Encapsulation,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    Role,
    SharedNetwork,
    Token,
)
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.model.ids import EndpointId, HostName, IpAddress, Mac, SharedId, Vni
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED

NOW = 1000.0
H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
WEB = SharedId("web")


def member(name: HostName, number: int, role: Role = Role.CLIENT) -> Member:
    address = IPv4Address(f"10.0.0.{number}")
    return Member(name, address, address, role=role, joined_at=float(number))


CLUSTER = Cluster(
    info=ClusterInfo("c1", 4790),
    members={H1: member(H1, 1, Role.VOTER), H2: member(H2, 2)},
    networks={WEB: SharedNetwork(WEB, Vni(1), H1)},
    leases={it.key: it for it in (Lease(WEB, IPv4Address("10.20.0.2"), H2), Lease(WEB, IPv4Address("10.20.0.3"), H1))},
    endpoints={EndpointId("e"): RemoteEndpoint(EndpointId("e"), WEB, H2, Mac("0a:00:00:00:00:01"))},
    beats={H2: Beat(H2, 4)},
    tokens={"d": Token("d", H2, 1.0)},
    records={it.key: it for it in (Record("db", IPv4Address("192.0.2.1"), H2),)},
)


class Follower:
    """Remembers whom it was to follow."""

    def __init__(self) -> None:
        self.told: list[tuple[Member, peer_messages.RecoveredRequest]] = []

    async def recovered(self, caller: Member, request: peer_messages.RecoveredRequest) -> None:
        self.told.append((caller, request))


class NoReserve:
    """A host that holds one address ahead."""

    async def yield_address(self, network: SharedId, address: IpAddress) -> bool:
        return network == WEB and address == IPv4Address("10.20.0.3")

    async def yield_addresses(self, network: SharedId, count: int, version: int) -> tuple[IpAddress, ...]:
        return (IPv4Address("10.20.0.3"),)[:count] if (network, version) == (WEB, 4) else ()


@dataclass
class Others:
    """The other members' agents: they do what is asked on the same state, or do not answer."""

    silent: frozenset[HostName] = frozenset()
    asked: list[tuple[HostName, str]] = field(default_factory=list)

    async def forget(self, peer: Peer, request: peer_messages.ForgetRequest) -> None:
        self._ask(peer, f"forget {request.host}")

    async def leave(self, peer: Peer, request: peer_messages.LeaveRequest) -> None:
        self._ask(peer, f"leave {request.host}")

    def _ask(self, peer: Peer, what: str) -> None:
        if peer.name in self.silent:
            raise Unavailable(str(peer), "no answer")
        self.asked.append((peer.name, what))


class Host:
    """One member's side of it."""

    def __init__(
        self, folder: Path, me: HostName = H1, cluster: Cluster = CLUSTER, others: Others | None = None
    ) -> None:
        self.files = IdentityFiles(folder)
        ours = authority.new_authority("c1", NOW)
        write_private(self.files.authority, ours.certificate_pem.encode())
        if cluster.members.get(me) is not None and cluster.members[me].role is Role.VOTER:
            write_private(self.files.authority_key, ours.key_pem.encode())
        self.store: MemoryStore[Cluster] = MemoryStore(SHARED, cluster)
        self.dead: frozenset[HostName] = frozenset()
        self.follower = Follower()
        self.members = Members(
            Committer(self.store),
            self.files,
            others or Others(),  # type: ignore[arg-type]
            About(me, clock=lambda: NOW),
            lambda: self.dead,
            NoReserve(),
            self.follower,
        )

    @property
    def state(self) -> Cluster:
        return self.store.snapshot()


def asking(name: str = "h3", address: str = "10.0.0.3", vtep: str = "10.0.0.3") -> peer_messages.JoinRequest:
    request = authority.new_request(HostName(name)).request_pem
    return peer_messages.JoinRequest(
        secret=b"s", name=name, address=address, vtep=vtep, mtu=9000, version="0.1.0", certificate_request=request
    )


def certified(pem: str) -> str:
    """Whom the certificate is for."""
    return load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()


async def test_a_host_that_joins_gets_a_certificate_for_its_name_and_learns_who_votes(tmp_path: Path) -> None:
    host = Host(tmp_path)

    answer = await host.members.join(asking())

    assert certified(answer.certificate) == "CN=h3"
    assert (answer.cluster_id, answer.voters) == ("c1", ("10.0.0.1",))
    joined = host.state.members[H3]
    assert (joined.mtu, joined.joined_at, joined.role) == (9000, NOW, Role.CLIENT)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (asking(name="h2"), "a host named h2 already.*forget h2"),
        (asking(vtep="10.0.0.2"), "10.0.0.2 is that of host h2"),
        (asking(address="10.0.0.1"), "10.0.0.1 is that of host h1"),
    ],
)
async def test_what_another_host_has_is_not_given_again(
    tmp_path: Path, request_: peer_messages.JoinRequest, why: str
) -> None:
    host = Host(tmp_path)
    with pytest.raises(Conflict, match=why):
        await host.members.join(request_)
    assert host.state.members == CLUSTER.members


@pytest.mark.row(68)
async def test_a_host_that_can_have_no_tunnels_like_the_clusters_is_told_so(tmp_path: Path) -> None:
    """One of a version that knows VXLAN only would be a member that nobody's packets reach."""
    geneve = replace(CLUSTER, info=replace(CLUSTER.info, encapsulation=Encapsulation.GENEVE))
    host = Host(tmp_path, cluster=geneve)
    with pytest.raises(Conflict, match=r"are Geneve, which host h3 does not know: it runs ovsnet 0\.1\.0; install"):
        await host.members.join(asking())
    assert host.state.members == CLUSTER.members
    await host.members.join(msgspec.structs.replace(asking(), encapsulations=("vxlan", "geneve")))
    assert H3 in host.state.members


async def test_a_host_that_goes_takes_everything_of_its_own_along_and_nothing_else(tmp_path: Path) -> None:
    host = Host(tmp_path)

    await host.members.leave(H2, peer_messages.LeaveRequest(host=H2))

    state = host.state
    assert set(state.members) == {H1}
    assert [it.host for it in state.leases.values()] == [H1]
    assert not any((state.endpoints, state.beats, state.tokens, state.records))
    assert set(state.networks) == {WEB}
    await host.members.leave(H2, peer_messages.LeaveRequest(host=H2))


async def test_whoever_says_hello_hears_who_votes(tmp_path: Path) -> None:
    said = await Host(tmp_path).members.hello(H2)
    assert (said.host, said.voters) == (H1, ("10.0.0.1",))


async def test_nobody_leaves_for_somebody_else(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with pytest.raises(Conflict, match="cannot leave for host h1"):
        await host.members.leave(H2, peer_messages.LeaveRequest(host=H1))


async def test_a_dead_host_is_forgotten_a_living_one_only_by_force_oneself_never(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with pytest.raises(Conflict, match="gives signs of life"):
        await host.members.take_out(H2, force=False)
    with pytest.raises(Conflict, match="is this host"):
        await host.members.take_out(H1, force=True)

    host.dead = frozenset({H2})
    assert await host.members.take_out(H2, force=False)
    assert not await host.members.take_out(H2, force=False)


async def test_a_client_has_a_voter_do_it_and_asks_the_next_one_when_that_is_silent(tmp_path: Path) -> None:
    members = {H1: member(H1, 1, Role.VOTER), H2: member(H2, 2), H3: member(H3, 3, Role.VOTER)}
    others = Others(silent=frozenset({H1}))
    host = Host(tmp_path, H2, Cluster(info=CLUSTER.info, members=members), others)

    await host.members.take_out(H1, force=True)
    await host.members.remove(H2)

    assert others.asked == [(H3, "forget h1"), (H3, "leave h2")]


async def test_when_no_voter_answers_it_says_so(tmp_path: Path) -> None:
    host = Host(tmp_path, H2, others=Others(silent=frozenset({H1})))
    with pytest.raises(Unavailable, match="h1"):
        await host.members.remove(H2)


async def test_the_authoritys_key_is_for_voters_only(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with pytest.raises(Conflict, match="no voter"):
        await host.members.promote(H2)
    voting = {**CLUSTER.members, H2: member(H2, 2, Role.VOTER)}
    host = Host(tmp_path / "again", cluster=Cluster(info=CLUSTER.info, members=voting))
    assert "PRIVATE KEY" in (await host.members.promote(H2)).authority_key


async def test_an_invitation_is_kept_by_its_digest_and_old_ones_of_this_host_go(tmp_path: Path) -> None:
    expired, of_another = Token("old", H1, NOW - 1), Token("theirs", H2, NOW - 1)
    cluster = Cluster(members=CLUSTER.members, tokens={it.key: it for it in (expired, of_another)})
    host = Host(tmp_path, cluster=cluster)

    invitation, until = await host.members.invite(60)

    assert until == NOW + 60
    assert set(host.state.tokens) == {tokens.digest(invitation.secret), "theirs"}
    assert invitation.secret.hex() not in repr(host.state)


async def test_addresses_held_ahead_are_given_back_when_asked(tmp_path: Path) -> None:
    host = Host(tmp_path)
    ask = peer_messages.YieldRequest
    assert (await host.members.yield_addresses(H2, ask(network=WEB, count=3))).addresses == ("10.20.0.3",)
    assert (await host.members.yield_addresses(H2, ask(network=WEB, address="10.20.0.3"))).addresses == ("10.20.0.3",)
    assert (await host.members.yield_addresses(H2, ask(network=WEB, address="10.20.0.2"))).addresses == ()


async def test_before_the_database_was_seen_nobody_is_judged(tmp_path: Path) -> None:
    host = Host(tmp_path, cluster=Cluster())
    with pytest.raises(Unavailable, match="not seen yet"):
        host.members.is_member(H2)


async def test_only_a_voter_is_followed_to_another_database(tmp_path: Path) -> None:
    host = Host(tmp_path)
    request = peer_messages.RecoveredRequest(cluster="new", replaced=("old",), voters=("10.0.0.1",))

    with pytest.raises(Conflict, match="h2 is no voter"):
        await host.members.recovered(H2, request)
    await host.members.recovered(H1, request)

    assert host.follower.told == [(CLUSTER.members[H1], request)]


def test_voters_are_listed_the_longest_first() -> None:
    them = {it.name: it for it in (member(H3, 3, Role.VOTER), member(H1, 1, Role.VOTER), member(H2, 2))}
    assert [it.name for it in voters_of(Cluster(members=them))] == [H1, H3]


def test_a_role_that_is_there_is_not_written_again() -> None:
    assert with_role(CLUSTER, H1, Role.VOTER) == ()
    assert with_role(CLUSTER, HostName("h9"), Role.VOTER) == ()
    (change,) = with_role(CLUSTER, H2, Role.VOTER)
    assert change.value == member(H2, 2, Role.VOTER)
