"""Row 41 where the way out is the network's own: published ports by our gateway, without a program in between.

router, 172.31.0.254, fd31::fe ── eth0, host, ovgw… ══ br-ovsnet ── containers, 10.40.0.0/24, fd00:40::/64
"""

from functools import partial

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import Completed, wait_until
from tests.system import networks
from tests.system.test_row_40_egress import Wire, network, own, wire
from tests.system.test_row_41_ports import ASK, ECHO
from tests.system.traces import clean

__all__ = ["wire"]

SCRIPT = r"""
mkdir -p /tmp/cgi-bin
cat >/tmp/cgi-bin/who <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n%s' $REMOTE_ADDR
END
chmod +x /tmp/cgi-bin/who
exec httpd -f -h /tmp -p 80
"""
SERVES = ("sh", "-c", SCRIPT)
CURL = ("curl", "-sSf", "-m", "3")
BACK = 5.0


def told(done: Completed) -> str:
    """What the server said; it takes IPv4 by a socket of IPv6."""
    return done.stdout.removeprefix("[").removeprefix("::ffff:").removesuffix("]")


def who(address: str, port: int = 8080) -> tuple[str, ...]:
    """Asks the server by which address it is asked."""
    return (*CURL, f"http://{f'[{address}]' if ':' in address else address}:{port}/cgi-bin/who")


def serves(container: Container) -> bool:
    return container.inside(*who("127.0.0.1", 80), check=False).ok


def await_server(wire: Wire, address: str, port: int = 8080) -> None:
    wait_until(lambda: wire.from_router(*who(address, port), check=False).ok, 10, f"{address}:{port} answers")


def ports(host: Host) -> set[tuple[str, str, int, int]]:
    return {
        (it["container"], it["host_address"], it["host_port"], it["container_port"])
        for it in networks.ask(host, "ports")
    }


@pytest.mark.row(41)
@pytest.mark.fault("publishing-does-nothing")
def test_published_ports_of_nat_networks_lead_to_the_container_from_everywhere(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    four, six = own(host)[4], own(host)[6]
    c1 = host.start_container("c1", "-p", "8080:80", "-p", f"{four}:5353:53/udp", network="out", command=SERVES)
    c2 = host.start_container("c2", network="out")
    await_server(wire, four)
    assert told(wire.from_router(*who(four))) == "172.31.0.254", "it sees who asks"
    assert told(wire.from_router(*who(six))) == "fd31::fe"
    assert told(host.run(*who(four))) == four
    assert told(host.run(*who("127.0.0.1"))) == "10.40.0.1"
    assert host.run(*who("localhost")).ok
    for container in (c1, c2):
        for address in (four, six, "10.40.0.1"):
            assert container.inside(*who(address)).ok, (container.name, address)
    with c1.spawn_inside("python3", "-c", ECHO, label="echo") as it:
        it.wait_for_output("listening")
        assert wire.from_router("python3", "-c", ASK, four).stdout == "marco\n"
    assert ports(host) == {("c1", "0.0.0.0", 8080, 80), ("c1", "::", 8080, 80), ("c1", four, 5353, 53)}
    assert "10.40.0" in host.ovsnet("ports", "c1").stdout
    clean(host)

    said = host.docker("run", "--rm", "-p", "8080:1", "--network", "out", "busybox:local", "true", check=False)
    assert "port 0.0.0.0:8080/tcp of this host is taken by container c1" in said.stderr
    host.agent.kill()
    assert wire.from_router(*who(four)).ok, "while there is no agent"
    host.agent.wait_ready()
    assert wire.from_router(*who(six)).ok
    host.shell("nft delete table inet ovsnet-egress")
    wait_until(lambda: wire.from_router(*who(four), check=False).ok, BACK, "the rules to be back")

    c1.stop()
    assert ports(host) == set()
    assert not wire.from_router(*who(four), check=False).ok
    with host.spawn("python3", "-m", "http.server", "8080", label="somebody") as somebody:
        wait_until(lambda: host.run(*CURL, "http://127.0.0.1:8080/", check=False).ok, 10, "somebody listens")
        said = host.docker("start", "c1", check=False)
        assert "is taken by python3 (process " in said.stderr
        somebody.stop()
    c1.start()
    await_server(wire, four)
    clean(host)


@pytest.mark.row(41)
@pytest.mark.long
def test_a_port_of_docker_is_not_taken_nor_ours_by_docker_and_ranges_find_a_free_one(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    networks.create(host, "other", "10.41.0.0/24", "-o", "egress=routed")
    four = own(host)[4]
    dockers = host.start_container("dockers", "-p", "8000:80")
    said = host.docker("run", "--rm", "-p", "8000:80", "--network", "out", "busybox:local", "true", check=False)
    assert "is taken by Docker, for its container at 172." in said.stderr
    c1 = host.start_container("c1", "-p", "8000-8010:80", "-p", "81", network="out", command=SERVES)
    c2 = host.start_container("c2", "-p", "8000-8010:80", network="other", command=SERVES)
    wait_until(lambda: all(it[0] for it in ports(host)), BACK, "the names of the containers to be known")
    chosen = {name: at for name, host_address, at, to in ports(host) if to == 80 and host_address == "0.0.0.0"}
    assert chosen == {"c1": 8001, "c2": 8002}
    for port in chosen.values():
        await_server(wire, four, port)
    assert told(c1.inside(*who(four, 8002))) == c1.address("out"), "another network's, by what it published"
    assert told(wire.from_router(*who(four, 8002))) == "172.31.0.254"
    assert c2.inside(*who(four, 8001)).ok
    assert dockers.inside(*who(four, 8001)).ok
    said = host.docker("run", "--rm", "-p", "8001:80", "busybox:local", "true", check=False)
    assert "already in use" in said.stderr

    host.dockerd_restart()
    host.docker("start", "c1")
    await_server(wire, four, 8000)  # nobody else runs now
    clean(host)


@pytest.mark.row(41)
@pytest.mark.long
def test_a_container_that_the_engine_starts_again_after_its_own_death_has_its_port(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    c1 = host.start_container("c1", "-p", "8080:80", "--restart", "always", network="out", command=SERVES)
    await_server(wire, own(host)[4])
    before = c1.pid
    host.services("docker", "kill")
    host.services("docker", "start")
    wait_until(lambda: c1.pid not in (0, before), 20, "the container to be started again")
    await_server(wire, own(host)[4])
    assert [it[2] for it in ports(host)] == [8080, 8080]


@pytest.mark.row(41, 72)
def test_a_published_port_leads_to_the_next_container_of_an_address_at_once(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    where = ("--ip", "10.40.0.20", "--ip6", "fd00:40::20", "-p", "8080:80")
    macs = set()
    for _ in range(2):
        c1 = host.start_container("c1", *where, network="out", command=SERVES)
        macs.add(c1.mac("out"))
        wait_until(partial(serves, c1), 10, "its server")
        for address in (own(host)[4], own(host)[6]):
            assert wire.from_router(*who(address), check=False).ok, (macs, address)
        host.docker("rm", "-f", "c1")
    assert len(macs) == 2, "the host's kernel remembers the first one"
