"""Row 53: on a LAN a host finds the cluster of its token by itself, and tells nobody else of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.rig.cluster import QUICK, join_command
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.rig.rig import Rig
from tests.rig.spawned import Spawned
from tests.rows import Figures
from tests.system.together import at_once, together

pytestmark = pytest.mark.row(53)

FORGED = "10.99.0.200"
"""Where the impostor is: a second address of the host that has another cluster."""
DOCKERS_BRIDGE = "172.17.0.1"
SOON = 15.0


@dataclass(frozen=True, slots=True)
class Lan:
    """A member that announces itself, one of another cluster that does, and a guest. `word`: into the first one's."""

    ours: NamespaceHost
    others: NamespaceHost
    guest: NamespaceHost
    word: str

    def join(self) -> Completed:
        return self.guest.ovsnet("cluster", "join", "--token", self.word, check=False, timeout=90)


@pytest.fixture(scope="module")
def lan(rig: Rig) -> Iterator[Lan]:
    ours, others, guest = hosts = [rig.host() for _ in range(3)]
    announcing = (*QUICK, "--set", "mdns=true")
    starts = (lambda: ours.agent.start(*announcing), lambda: others.agent.start(*announcing), guest.agent.start)
    at_once(*starts)
    said = together(lambda it: it.ovsnet("cluster", "init", "--advertise", "eth1"), (ours, others))
    yield Lan(ours, others, guest, join_command(said[0].stdout)[-1])
    for host in hosts:
        rig.discard(host)


@pytest.fixture(scope="module")
def impostor(lan: Lan) -> Iterator[Spawned]:
    """Announces our cluster on the other's host, with our authority, which is no secret."""
    host = lan.others
    host.write_file("/tmp/authority.pem", lan.ours.read_file("/var/lib/ovsnet/cluster/ca.pem"))
    host.run("ip", "addr", "add", f"{FORGED}/24", "dev", "eth1")
    program = (str(PROJECT / ".venv/bin/python"), str(Path(__file__).with_name("impostor.py")))
    with host.spawn(*program, FORGED, "eth1", cluster_id(lan.ours), "/tmp/authority.pem", label="impostor") as it:
        it.wait_for_output("announced")
        yield it


def cluster_id(host: NamespaceHost) -> str:
    return str(host.ovsnet("cluster", "status", "--json").json()["id"])


def heard(host: NamespaceHost) -> set[tuple[str, str, bool]]:
    """Name, cluster, and whether it is the host's own, of all who are heard of there."""
    said = host.ovsnet("cluster", "discover", "--json").json()
    assert said["verified"] is False
    assert DOCKERS_BRIDGE not in said["listened"]
    return {(it["name"], it["cluster"], it["mine"]) for it in said["members"]}


def asked(impostor: Spawned) -> set[str]:
    """What he was asked, bodies included."""
    return {it.strip() for it in impostor.stdout.splitlines() if it != "announced"}


def port_5353(host: NamespaceHost) -> Sequence[str]:
    return [line.split()[3] for line in host.run("ss", "-Hulna", "sport", "=", ":5353").stdout.splitlines()]


def test_who_announces_himself_is_listed_for_anybody_and_never_called_verified(lan: Lan) -> None:
    """Without a token."""
    want = {(it.name, cluster_id(it), False) for it in (lan.ours, lan.others)}

    wait_until(lambda: heard(lan.guest) == want, SOON, "both clusters are heard of")

    assert port_5353(lan.guest) == []


def test_a_forged_announcement_gets_no_secret_and_the_person_reads_whose_it_was(lan: Lan, impostor: Spawned) -> None:
    """The only one that claims our cluster: the honest member's announcements do not get through."""
    lan.ours.shell("nft add table inet mute && nft add chain inet mute out '{ type filter hook output priority 0; }'")
    lan.ours.run("nft", "add", "rule", "inet", "mute", "out", "udp", "dport", "5353", "drop")

    said = lan.join()

    lan.ours.run("nft", "delete", "table", "inet", "mute")
    assert not said.ok
    for part in (FORGED, "its certificate is not accepted", "give the address of a member", "mdns = true", "5353"):
        assert part in said.stderr
    assert cluster_id(lan.others) in said.stderr
    assert asked(impostor) == {"GET /v1/ca"}
    assert cluster_id(lan.guest) == ""


def test_a_host_joins_by_its_token_alone_and_other_clusters_never_hear_of_it(
    lan: Lan, impostor: Spawned, figures: Figures
) -> None:
    lan.others.shell("nft add table inet count && nft add chain inet count in '{ type filter hook input priority 0; }'")
    own = lan.others.run("hostname").stdout.strip().removeprefix("h")
    lan.others.run(
        *("nft", "add", "rule", "inet", "count", "in", "ip", "daddr", f"10.99.0.{own}"),
        *("tcp", "dport", "7641", "counter"),
    )

    began = time.monotonic()
    said = lan.join()
    taken = time.monotonic() - began

    assert said.ok, said.stderr
    figures["seconds for joining without an address"] = round(taken, 1)
    assert cluster_id(lan.guest) == cluster_id(lan.ours)
    names = {it["name"] for it in lan.guest.ovsnet("cluster", "members", "--json").json()}
    assert names == {lan.ours.name, lan.guest.name}
    assert "counter packets 0" in lan.others.run("nft", "list", "table", "inet", "count").stdout
    assert asked(impostor) == {"GET /v1/ca"}


def test_a_member_without_the_setting_announces_nothing_and_one_with_it_only_on_its_interface(lan: Lan) -> None:
    ours, others = cluster_id(lan.ours), cluster_id(lan.others)
    assert cluster_id(lan.guest) == ours

    said = lan.guest.ovsnet("cluster", "discover").stdout

    assert "Nothing of this is verified" in said
    found = {(words[0], words[1]): words[-1] for words in map(str.split, said.splitlines()) if len(words) == 6}
    assert found[ours, lan.ours.name] == "yes"
    assert found[others, lan.others.name] == "no"
    assert (ours, lan.guest.name) not in found
    assert port_5353(lan.guest) == []
    assert port_5353(lan.ours)
    assert all("%eth1:" in it for it in port_5353(lan.ours)), port_5353(lan.ours)
