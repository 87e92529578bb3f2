"""Row 19: ovs-docker's and pipework's own command lines, on real containers, under their own names."""

from collections.abc import Iterator

import pytest
from tests.rig.container import Container
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.system import networks
from tests.system.attached import addresses, detach_all, interface, is_up, port
from tests.system.traces import left_as, traces

LINKS = "".join(
    f"ln -s {PROJECT}/.venv/bin/ovsnet-{name} /usr/local/sbin/{name}\n" for name in ("ovs-docker", "pipework")
)


@pytest.fixture(scope="module")
def containers(module_host: NamespaceHost) -> tuple[Container, Container]:
    """Two that have nothing yet, on a host where both names lead to us."""
    module_host.shell(f"set -e\n{LINKS}")
    web, db = networks.start(module_host, "web", "db", network="none")
    return web, db


@pytest.fixture(autouse=True)
def nothing_stays(containers: tuple[Container, Container]) -> Iterator[None]:
    host = containers[0].host
    before = traces(host)
    yield
    detach_all(host, "web", "db")
    left_as(host, before)


def ovs_docker(container: Container, *words: str) -> Completed:
    return container.host.run("/usr/local/sbin/ovs-docker", *words, check=False)


def pipework(container: Container, *words: str) -> Completed:
    return container.host.run("/usr/local/sbin/pipework", *words, check=False)


@pytest.mark.row(19)
def test_ovs_docker_adds_tags_and_removes_ports(containers: tuple[Container, Container]) -> None:
    web, db = containers
    host = web.host
    whole = web.inspect()["Id"]
    options = ("--ipaddress=192.168.1.2/24", "--gateway=192.168.1.1", "--macaddress=a2:c3:0d:49:7f:f8", "--mtu=1450")

    added = ovs_docker(web, "add-port", "br-int", "eth1", whole[:12], *options)

    assert (added.returncode, added.stdout, added.stderr) == (0, "", "")
    inside = interface(web, "eth1")
    assert (inside["mtu"], inside["address"]) == (1450, "a2:c3:0d:49:7f:f8")
    assert addresses(web, "eth1") == {"192.168.1.2/24"}
    assert networks.default_routes(web) == ["eth1"]
    name = port(host, "web", "eth1")
    assert host.ovs_vsctl("port-to-br", name).stdout.strip() == "br-int"
    marks = host.ovs_vsctl("get", "interface", name, "external_ids").stdout
    assert "container_iface=eth1" in marks
    assert "container_id=" in marks
    again = ovs_docker(web, "add-port", "br-int", "eth1", "web")
    assert (again.returncode, "eth1 already" in again.stderr) == (1, True)

    assert ovs_docker(db, "add-port", "br-int", "eth1", "db", "--ipaddress=192.168.1.3/24").ok
    assert db.pings("192.168.1.2")
    assert ovs_docker(web, "set-vlan", "br-int", "eth1", "web", "5").ok
    assert host.ovs_vsctl("get", "port", name, "tag").stdout.strip() == "5"
    assert not db.pings("192.168.1.2")

    assert ovs_docker(web, "del-port", "br-int", "eth1", "web").ok
    assert interface(web, "eth1") is None
    gone = ovs_docker(web, "del-port", "br-int", "eth1", "web")
    assert (gone.returncode, "Failed to find any attached port for CONTAINER=web" in gone.stderr) == (1, True)
    for _ in range(2):
        assert ovs_docker(db, "del-ports", "br-int", "db").ok
    assert interface(db, "eth1") is None


@pytest.mark.row(19)
def test_ovs_docker_says_how_it_is_used(containers: tuple[Container, Container]) -> None:
    web, _ = containers
    helped = ovs_docker(web, "--help")
    assert (helped.returncode, helped.stdout.startswith("ovs-docker: ")) == (0, True)
    assert ovs_docker(web).returncode == 0
    assert ovs_docker(web, "del-port", "br-int").returncode == 1
    unknown = ovs_docker(web, "add-bridge")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        'ovs-docker: unknown command "add-bridge" (use --help for help)\n',
    )


@pytest.mark.row(19)
def test_pipework_joins_two_containers_as_its_documentation_has_it(containers: tuple[Container, Container]) -> None:
    web, db = containers
    assert pipework(web, "br1", web.inspect()["Id"], "192.168.4.25/20@192.168.4.1").ok
    assert pipework(db, "br1", "-i", "eth2", "-l", "hostapp1", "db", "192.168.4.26/20", "U:myhost.foo.com@").ok

    assert is_up(web, "eth1")
    assert web.pings("192.168.4.26")
    assert networks.default_routes(web) == ["eth1"]
    assert interface(db, "eth2")["address"] == "02:72:6c:cd:9b:8d"
    assert web.host.exists("/sys/class/net/hostapp1")
    again = pipework(web, "br1", "web", "192.168.4.25/20")
    assert (again.returncode, "eth1 already" in again.stderr) == (1, True)
    assert pipework(web, "route", "web", "add", "10.0.5.6/24", "via", "192.168.4.26").ok
    assert "10.0.5.0/24 via 192.168.4.26 dev eth1" in web.inside("ip", "route").stdout


@pytest.mark.row(19)
def test_pipework_without_an_address_and_in_a_vlan(containers: tuple[Container, Container]) -> None:
    web, db = containers
    assert pipework(web, "ovsbr7", "web", "0/0", "@10").ok
    assert (is_up(web, "eth1"), addresses(web, "eth1")) == (True, set())
    assert web.host.ovs_vsctl("get", "port", port(web.host, "web", "eth1"), "tag").stdout.strip() == "10"
    assert pipework(db, "ovsbr7", "-a", "6", "db", "2001:db8::1/64").ok
    assert addresses(db, "eth1") == {"2001:db8::1/64"}


@pytest.mark.row(19)
def test_pipework_waits_where_it_is_run(containers: tuple[Container, Container]) -> None:
    web, _ = containers
    with web.spawn_inside("/usr/local/sbin/pipework", "--wait", label="wait") as waiting:
        wait_until(waiting.started, 5, "it to wait")
        assert pipework(web, "br1", "web", "0/0").ok
        assert waiting.wait(10).ok


@pytest.mark.row(19, 39)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("docker0", "web", "192.168.1.1/24"), "docker0 is a Linux bridge"),
        (("br1", "web", "192.168.1.1"), "Maybe you meant 192.168.1.1/24 ?"),
        (("eno1", "web", "192.168.1.1/24"), "I do not know how to setup interface eno1."),
        (("tc", "web", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "30%"), "not supported yet"),
    ],
)
def test_pipework_says_what_it_cannot_do(
    containers: tuple[Container, Container], words: tuple[str, ...], says: str
) -> None:
    refused = pipework(containers[0], *words)
    assert (refused.returncode, says in refused.stderr) == (1, True)
