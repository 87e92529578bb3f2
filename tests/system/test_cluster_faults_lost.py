"""A host is lost to the cluster for a while: it has no power, or a certificate that nobody takes."""

import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.faults import HEALED, NETWORK, Crossing, between, lossless, powered_off
from tests.system.networks import BRIDGE, create

from ovsnet.cluster import authority
from ovsnet.model.ids import HostName

# What the engine lost with its power is collected after; by default it takes minutes.
SOON = ("--set", "orphan_age=8", "--set", "orphan_period=1")
OPTIONS = (*QUICK, *SOON)
IDENTITY = "/var/lib/ovsnet/cluster"
AGO = 11 * 365 * 86400.0


@pytest.fixture(scope="module")
def crossing(rig: Rig) -> Iterator[Crossing]:
    cluster = Cluster.of(rig, 3, *SOON)
    yield Crossing(cluster)
    cluster.down()


def sent_to(host: NamespaceHost, there: str) -> list[str]:
    """What in this host's switch and kernel still names an address, or a host by its VTEP."""
    ofctl = "ovs-ofctl -O OpenFlow15"
    look = f"{ofctl} --no-stats dump-flows {BRIDGE}; {ofctl} dump-groups {BRIDGE}; bridge fdb show"
    return [line for line in host.shell(look).stdout.splitlines() if there in line.replace(",", " ").split()]


@pytest.mark.row(60, 55)
def test_a_host_without_power_is_withdrawn_everywhere_and_joins_in_again_by_itself(
    crossing: Crossing, figures: Figures
) -> None:
    cluster = crossing.cluster
    victim = cluster.leader()
    one, other = (it for it in cluster.hosts if it is not victim)
    crossing.well()
    assert sent_to(one, f"nw_dst={crossing.of(victim).address('web')}") + sent_to(one, cluster.address(victim)) != []

    with crossing.traffic(one, other) as floods:
        with powered_off(victim, options=OPTIONS):
            began = time.monotonic()
            _, started = crossing.starts(other, "meanwhile")
            wait_until(lambda: create(one, "made", check=False).ok, 20, "a network made without the leader")
            blocked = time.monotonic() - began
            for host in (one, other):
                wait_until(lambda it=host: cluster.status(it)["dead"] == [victim.name], HEALED, "it is dead")  # type: ignore[misc]
                wait_until(lambda it=host: sent_to(it, cluster.address(victim)) == [], HEALED, "it gets nothing")  # type: ignore[misc]
            withdrawn = time.monotonic() - began
            members = one.ovsnet("cluster", "members", check=False)
        began = time.monotonic()
        crossing.of(victim).start()
        await_network(victim, "made", HEALED)
        crossing.well(2 * HEALED)
        healed = time.monotonic() - began
    reached = crossing.all_reach_all()

    figures["datagrams lost between the others while the leader's host had no power"] = f"0 of {lossless(floods)}"
    figures["docker run on another host meanwhile, s"] = started
    figures["docker network create without the leader's host, s"] = round(blocked, 1)
    figures["nothing is sent any more to a host without power after, s (dead_after=5)"] = round(withdrawn, 1)
    figures["all as before after its boot, s (orphan_age=8)"] = [round(healed, 1), reached]
    assert members.returncode == 1
    assert f"{victim.name} " in members.stdout
    assert " dead " in members.stdout


@pytest.mark.long
@pytest.mark.row(93, 60)
def test_a_host_whose_certificate_nobody_takes_is_told_what_to_do_and_cuts_nobody_but_itself(
    crossing: Crossing, figures: Figures
) -> None:
    cluster = crossing.cluster
    spoilt = next(it for it in cluster.hosts if it is not cluster.leader())
    one, other = (it for it in cluster.hosts if it is not spoilt)
    neighbour, _ = crossing.starts(spoilt, "neighbour")
    crossing.well()
    good = {name: spoilt.read_file(f"{IDENTITY}/{name}") for name in ("host.pem", "host.key")}

    with crossing.traffic(one, other) as majority, between(neighbour, crossing.of(spoilt)) as local:
        restarted_with(spoilt, expired(cluster, spoilt), ready=False)
        wait_until(lambda: cluster.status(one)["dead"] == [spoilt.name], HEALED, "it is heard no more")
        wait_until(lambda: cluster.status(spoilt)["members"] == 3, HEALED, "its agent serves")
        said = spoilt.ovsnet("status", check=False)
        fresh, started = crossing.starts(spoilt, "alone")
        assert fresh.pings(neighbour.address(NETWORK))
        refused = create(spoilt, "refused", check=False)
        assert create(one, "majority").ok
        restarted_with(spoilt, good)
        crossing.well()
    crossing.all_reach_all()

    lost = f"0 of {lossless(majority) + lossless(local)}"
    figures["datagrams lost, inside of it and among the others, while one host's certificate was no good"] = lost
    figures["docker run there with a certificate that is no good, s"] = started
    assert "has expired" in said.stdout, said.stdout
    assert "'ovsnet cluster leave'" in said.stdout, said.stdout
    assert not refused.ok


def expired(cluster: Cluster, host: NamespaceHost) -> Mapping[str, str]:
    """A key with a certificate for it, of the cluster's own authority, long ago."""
    voter, long_ago = cluster.leader(), time.time() - AGO
    signer = authority.read_authority(*(voter.read_file(f"{IDENTITY}/{name}") for name in ("ca.pem", "ca.key")))
    request, name = authority.new_request(HostName(host.name)), HostName(host.name)
    address = ip_address(cluster.address(host))
    pem = authority.sign(signer, request.request_pem, name=name, addresses=(address,), now=long_ago)
    return {"host.pem": pem, "host.key": request.key_pem}


def restarted_with(host: NamespaceHost, files: Mapping[str, str], *, ready: bool = True) -> None:
    """Its agent and its databases start anew, as who these files say."""
    for name, text in files.items():
        host.write_file(f"{IDENTITY}/{name}", text, mode="600")
    host.agent.stop()
    host.agent.start(*OPTIONS, ready=ready)
