"""Row 52: hosts join with one address and one word, and whoever may not leaves nothing behind."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from tests.rig.cluster import API, QUICK, Cluster, join_command
from tests.rig.host import PROJECT, Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.rig.rig import Rig
from tests.rig.spawned import Spawned
from tests.rows import Figures
from tests.system.together import await_on_all, together

pytestmark = pytest.mark.row(52)

WITHIN = 10.0
"""Seconds until all members know a new one (row 52)."""
QUICKLY = 8.0
"""Seconds after which a person has been told that nobody answers."""
FOLDER = "/var/lib/ovsnet/cluster"
NOBODY = "10.99.0.250"
OVSNET = str(PROJECT / ".venv/bin/ovsnet")


@dataclass(frozen=True, slots=True)
class Stage:
    """A cluster of one host at first, and hosts that are in none."""

    cluster: Cluster
    guests: Sequence[NamespaceHost]

    def token(self, hours: float = 24.0) -> str:
        """A new word, from the first member; the command line gives none for a second only."""
        body = json.dumps({"hours": hours})
        said = self.cluster.hosts[0].run(*API, "-d", body, "http://ovsnet/v1/cluster/token").json()
        wait_until(lambda: hours > 1 or time.time() > said["expires_at"], 10, "the end of a short-lived token")
        return str(said["token"])

    def join(self, guest: NamespaceHost, token: str, at: str = "") -> Completed:
        address = at or self.cluster.address(self.cluster.hosts[0])
        where = ("--advertise", self.cluster.address(guest))
        return guest.ovsnet("cluster", "join", address, "--token", token, *where, check=False, timeout=90)


@pytest.fixture(scope="module")
def stage(rig: Rig) -> Iterator[Stage]:
    hosts = [rig.host() for _ in range(5)]
    together(lambda host: host.agent.start(*QUICK), hosts)
    cluster = Cluster(rig, hosts[:1])
    cluster.form()
    yield Stage(cluster, hosts[1:])
    for host in hosts:
        rig.discard(host)


@pytest.fixture(scope="module")
def walled(stage: Stage) -> Spawned:
    """The last guest on its way in, which may talk to agents and not to the database; others need not wait for it."""
    guest = stage.guests[3]
    guest.shell("nft add table inet wall && nft add chain inet wall out '{ type filter hook output priority 0; }'")
    guest.run("nft", "add", "rule", "inet", "wall", "out", "tcp", "dport", "7642", "drop")
    join = ("cluster", "join", stage.cluster.address(stage.cluster.hosts[0]), "--token", stage.token())
    return guest.spawn(OVSNET, *join, "--advertise", stage.cluster.address(guest), label="join")


def members(host: Host) -> Sequence[tuple[str, str, str]]:
    """Name, address and state, as `ovsnet cluster members` lists them."""
    said = host.ovsnet("cluster", "members", "--json", check=False)
    return [(it["name"], it["address"], it["state"]) for it in said.json()] if said.ok else []


def membership(host: Host) -> str:
    """What the host says of itself, on disk."""
    return host.read_file(f"{FOLDER}/member.json")


def untouched(host: NamespaceHost) -> None:
    """Nothing is there of a cluster, but for the database of one that it was in once."""
    left = set(host.shell(f"ls -A {FOLDER}", check=False).stdout.split())
    assert left <= {"cluster.db.left", ".cluster.db.~lock~"}
    assert members(host) == []
    assert not [it for _, it in host.processes().values() if "cluster.sock" in it]
    assert host.ovsnet("status", check=False).ok


def test_two_hosts_that_join_at_once_are_known_to_all_within_ten_seconds(stage: Stage, figures: Figures) -> None:
    """With one address and no multicast."""
    words = [stage.token(), stage.token()]
    newcomers = stage.guests[:2]
    began = time.monotonic()

    joined = together(lambda it: stage.join(*it), zip(newcomers, words, strict=True))
    assert all(it.ok for it in joined), joined
    everybody = [*stage.cluster.hosts, *newcomers]
    want = sorted((it.name, stage.cluster.address(it), "alive") for it in everybody)
    await_on_all(everybody, lambda host: sorted(members(host)) == want, WITHIN, "all three members")
    taken = time.monotonic() - began

    figures["seconds until two hosts that join at once are listed on all"] = round(taken, 1)
    assert taken < 2 * WITHIN
    stage.cluster.hosts.extend(newcomers)
    stage.cluster.settle()


@pytest.mark.usefixtures("walled")
def test_who_is_not_invited_is_told_why_and_leaves_nothing(stage: Stage) -> None:
    guest = stage.guests[2]
    word = stage.token()
    other = join_command(guest.ovsnet("cluster", "init", "--advertise", stage.cluster.address(guest)).stdout)[-1]
    guest.ovsnet("cluster", "leave")
    untouched(guest)
    damaged = word[:-1] + ("a" if word[-1] != "a" else "b")
    # Of the right cluster, and never made by it: the fingerprint is good, and so is the checksum.
    refusals = {
        "hunter2": "begins with ovsnet1-",
        damaged: "mistyped",
        other: "not of the cluster that the token was made for",
        stage.token(hours=0.0001): "expired",
    }

    for token, reason in refusals.items():
        said = stage.join(guest, token)
        assert not said.ok
        assert reason in said.stderr, said.stderr
        assert token not in said.stderr
    untouched(guest)
    assert guest.name not in [it[0] for it in members(stage.cluster.hosts[0])]


def test_an_address_that_answers_nobody_is_told_quickly(stage: Stage, figures: Figures) -> None:
    guest = stage.guests[2]
    word = stage.token()

    silent = stage.join(guest, word, NOBODY)
    closed = stage.join(guest, word, stage.cluster.address(guest))

    for said, address in ((silent, NOBODY), (closed, stage.cluster.address(guest))):
        assert not said.ok
        assert address in said.stderr
        assert said.seconds < QUICKLY, said
    figures["seconds until a join at an address nobody has is given up"] = round(silent.seconds, 1)
    untouched(guest)


def test_a_member_neither_joins_nor_begins_another_cluster(stage: Stage) -> None:
    first, second = stage.cluster.hosts[:2]
    before = membership(first), membership(second)

    for refused in (
        first.ovsnet("cluster", "init", check=False),
        second.ovsnet("cluster", "init", check=False),
        stage.join(second, stage.token()),
    ):
        assert not refused.ok
        assert "in a cluster already" in refused.stderr
        assert "ovsnet cluster leave" in refused.stderr
    assert (membership(first), membership(second)) == before


def test_a_name_or_an_address_of_a_member_is_refused_with_what_to_do(stage: Stage) -> None:
    guest, first = stage.guests[2], stage.cluster.hosts[0]
    word = stage.token()
    join = (*("cluster", "join", stage.cluster.address(first), "--token", word), "--advertise", "eth1")

    named = guest.ovsnet(*join, "--name", first.name, check=False)

    assert not named.ok
    assert f"ovsnet cluster forget {first.name}" in named.stderr
    assert "--name" in named.stderr
    untouched(guest)


@pytest.mark.long
def test_a_host_whose_copy_of_the_database_never_comes_is_taken_back(
    stage: Stage, walled: Spawned, figures: Figures
) -> None:
    """It was let in already; then the port of the database did not answer it."""
    guest, first = stage.guests[3], stage.cluster.hosts[0]

    said = walled.wait(60)

    assert not said.ok
    assert "the cluster's database is not available" in said.stderr
    untouched(guest)
    assert guest.name not in [it[0] for it in members(first)]
    guest.run("nft", "delete", "table", "inet", "wall")
    assert stage.join(guest, stage.token()).ok
    stage.cluster.hosts.append(guest)
    stage.cluster.settle()


@pytest.mark.long
def test_the_word_can_be_given_where_no_list_of_processes_shows_it(stage: Stage) -> None:
    guest, first = stage.guests[2], stage.cluster.hosts[0]
    join = (OVSNET, "cluster", "join", stage.cluster.address(first), "--advertise", "eth1", "--token", "-")

    guest.run(*join, stdin=stage.token() + "\n", timeout=90)

    stage.cluster.hosts.append(guest)
    stage.cluster.settle()
