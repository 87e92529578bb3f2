"""Rows 19, 39: ovs-docker's and pipework's own command lines under their own names, on real containers.

Each example of their documentation is a row of docs/shims.md, and run from there.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from tests.rig.container import Container
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, NotReached, wait_until
from tests.system import networks
from tests.system.attached import in_force, port
from tests.system.lab import Lab, lab
from tests.system.traces import left_as, traces

PAGE = Path(PROJECT, "docs", "shims.md").read_text()
GUESTS = ("web", "db")
SOON = 15.0
"""Seconds until a lease is there."""
# As in a container: with the interfaces of its namespace in /sys.
IN_WEB = """#!/bin/sh
exec nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n unshare -m \
    sh -c 'mount -t sysfs sysfs /sys && exec "$@"' sh "$@"
"""


@dataclass(frozen=True, slots=True)
class Example:
    """One row: commands, and either what is there then or what they are refused with."""

    title: str
    commands: tuple[str, ...]
    refused: bool
    words: tuple[str, ...]


def examples() -> Iterator[Example]:
    for line in PAGE.splitlines():
        cells = [it.strip() for it in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and "`" in cells[1]:
            commands, words = (tuple(re.findall("`([^`]+)`", it)) for it in cells[1:])
            yield Example(f"{commands[0].split()[0]}: {cells[0]}", commands, cells[2].startswith("no:"), words)


EXAMPLES = tuple(examples())


@pytest.fixture(scope="module")
def place(module_host: NamespaceHost) -> Iterator[Lab]:
    host = module_host
    with lab(host) as it:
        guests = networks.start(host, *GUESTS, network="none")
        ids = "".join(f"{guest.name.upper()}={guest.inspect()['Id']}\n" for guest in guests)
        host.write_file("/root/guests", ids)
        host.write_file("/usr/local/sbin/in-web", IN_WEB, "755")
        host.run("ip", "addr", "add", "10.1.1.123/24", "dev", "eth3")
        assert host.shell("command -v ovs-docker").stdout.strip() == "/usr/local/sbin/ovs-docker", "not the original"
        (set_up,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        host.shell(f"set -e\n{set_up}")
        before = traces(host)
        yield it
        left_as(host, before)


@pytest.fixture
def host(place: Lab) -> Iterator[NamespaceHost]:
    yield place.host
    place.detach_all()
    place.host.run("ip", "addr", "flush", "dev", "br1", check=False)


@pytest.mark.row(19)
@pytest.mark.parametrize("it", EXAMPLES, ids=lambda it: it.title)
def test_an_example_does_what_the_table_says(host: NamespaceHost, it: Example) -> None:
    done = host.shell("set -e; . /root/guests\n" + "\n".join(it.commands), check=False)

    if it.refused:
        assert (done.returncode, done.stdout) == (1, "")
        assert all(word in done.stderr for word in it.words), done.stderr
        assert networks.ask(host, "attachments") == []
        return
    assert done.ok, done.stderr
    wanted = [word for word in it.words if word.split()[0] in GUESTS]
    wait_until(lambda: not missing(host, wanted), SOON, f"{wanted}")
    in_force(host)


def test_the_tables_were_understood() -> None:
    assert len([it for it in EXAMPLES if it.title.startswith("ovs-docker")]) == 5
    assert len([it for it in EXAMPLES if it.title.startswith("pipework")]) == 24


@pytest.mark.row(19, 29)
@pytest.mark.fault("name-and-id-differ")
def test_exit_codes_and_sentences_are_those_of_ovs_docker(host: NamespaceHost) -> None:
    web = Container(host, "web")
    whole = web.inspect()["Id"]
    added = ovs_docker(host, "add-port", "br-int", "eth1", whole[:12], "--ipaddress=192.168.1.2/24")
    assert (added.returncode, added.stdout, added.stderr) == (0, "", "")
    marks = host.ovs_vsctl("get", "interface", port(host, "web", "eth1"), "external_ids").stdout
    assert "container_iface=eth1" in marks
    assert "container_id=" in marks
    again = ovs_docker(host, "add-port", "br-int", "eth1", "web")
    assert (again.returncode, "eth1 already" in again.stderr) == (1, True)

    assert ovs_docker(host, "del-port", "br-int", "eth1", "web").ok

    gone = ovs_docker(host, "del-port", "br-int", "eth1", whole)
    assert (gone.returncode, "Failed to find any attached port for CONTAINER=" in gone.stderr) == (1, True)
    assert ovs_docker(host, "del-ports", "br-int", "web").ok
    assert ovs_docker(host).stdout.startswith("ovs-docker: ")
    assert ovs_docker(host, "del-port", "br-int").returncode == 1
    unknown = ovs_docker(host, "add-bridge")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        'ovs-docker: unknown command "add-bridge" (use --help for help)\n',
    )


@pytest.mark.row(19)
def test_pipework_waits_where_it_is_run(host: NamespaceHost) -> None:
    with host.spawn("/usr/local/sbin/in-web", "pipework", "--wait", label="wait") as waiting:
        with pytest.raises(NotReached):
            waiting.wait(0.5)
        assert host.run("pipework", "br1", "web", "0/0").ok
        assert waiting.wait(10).ok


@pytest.mark.row(20)
@pytest.mark.fault("wrong-vlan-device")
def test_a_device_that_is_called_like_a_vlan_is_none_and_stays_as_it_is(host: NamespaceHost) -> None:
    host.shell("ip link add eth3.10 type bridge")
    dump = ("ip", "netns", "exec", "server", "tcpdump", "-i", "of-eth3", "-nn", "-e", "-l", "-c", "1", "arp and vlan")
    with host.spawn("sh", "-c", f"{' '.join(dump[:-1])} '{dump[-1]}' 2>&1", label="tcpdump") as seen:
        seen.wait_for_output("listening on")
        assert host.run("pipework", "eth3", "web", "198.51.100.7/24", "@10").ok  # and announces its address
        assert "vlan 10" in seen.wait(5).stdout
    assert "bridge" in host.run("ip", "-d", "link", "show", "eth3.10").stdout
    host.run("ip", "link", "del", "eth3.10")


@pytest.mark.row(19, 39)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("docker0", "web", "192.168.1.1/24"), "docker0 is a Linux bridge"),
        (("br1", "web", "192.168.1.1"), "Maybe you meant 192.168.1.1/24 ?"),
        (("eno1", "web", "192.168.1.1/24"), "I do not know how to setup interface eno1."),
    ],
)
def test_pipework_says_what_it_cannot_do(host: NamespaceHost, words: tuple[str, ...], says: str) -> None:
    refused = host.run("pipework", *words, check=False)
    assert (refused.returncode, says in refused.stderr) == (1, True)


def ovs_docker(host: NamespaceHost, *words: str) -> Completed:
    return host.run("ovs-docker", *words, check=False)


def missing(host: NamespaceHost, wanted: list[str]) -> list[str]:
    have = {fact for guest in GUESTS for fact in facts(Container(host, guest))}
    return [it for it in wanted if not _is_so(it, have)]


def _is_so(fact: str, have: set[str]) -> bool:
    if fact.endswith(" gone"):
        return fact.replace(" gone", " there") not in have
    return any(fnmatchcase(it, fact) for it in have)


def facts(guest: Container) -> Iterator[str]:
    """What can be said of a guest: its interfaces, their addresses, MACs, MTUs, ports and VLANs, and its routes."""
    said = guest.inside("sh", "-c", "ip -j addr show && ip route show && ip rule show | sed 's/.*:/rule/'").stdout
    links, _, routes = said.partition("\n")
    for link in json.loads(links):
        name = f"{guest.name} {link['ifname']}"
        yield from (f"{name} there", f"{name} {link['address']}", f"{name} mtu {link['mtu']}")
        yield from (f"{name} {it['local']}/{it['prefixlen']}" for it in link["addr_info"])
        if {"UP", "LOWER_UP"} <= set(link["flags"]):
            yield f"{name} up"
    ports = guest.host.ovs_vsctl("--format=json", "--columns=name,tag,external_ids", "list", "port").stdout
    for name, tag, (_, pairs) in json.loads(ports)["data"]:
        ids = dict(pairs)
        if ids.get("ovsnet-container-name") == guest.name:
            own = f"{guest.name} {ids['ovsnet-ifname']}"
            yield from (f"{own} port {name}", f"{own} vlan {tag}")
    for route in routes.splitlines():
        yield f"{guest.name} {' '.join(route.replace(' proto static', '').split())}"
