"""Row 11: Docker Compose."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import clean, left_as, traces

FILE = "/root/shop/docker-compose.yml"
SHOP = """
version: "3.7"
services:
  app:
    image: busybox:local
    init: true
    command: sleep 1000000
    networks:
      front:
        aliases: [www, shop]
      back:
        ipv4_address: 10.61.0.50
        aliases: [backend]
  db:
    image: busybox:local
    init: true
    command: sleep 1000000
    networks:
      back:
        ipv4_address: 10.61.0.60
        aliases: [database]
networks:
  front:
    driver: ovsnet
    driver_opts: {mtu: "1400"}
    ipam:
      driver: ovsnet
      config: [{subnet: 10.60.0.0/24}]
  back:
    driver: ovsnet
    internal: true
    driver_opts: {vlan: "30"}
    ipam:
      driver: ovsnet
      config: [{subnet: 10.61.0.0/24}]
"""


@dataclass(frozen=True, slots=True)
class Attached:
    """A container on a network, without what is new at every start."""

    container: str
    network: str
    address: str
    mtu: int
    tag: str
    aliases: frozenset[str]


def compose(host: NamespaceHost, *words: str) -> None:
    """The plugin of the command line, or the program of its own that older suites have."""
    plugin = host.docker("compose", "version", check=False).ok
    command = ("docker", "compose") if plugin else ("docker-compose",)
    host.run(*command, "-p", "shop", "-f", FILE, *words, timeout=120)


def attached(host: NamespaceHost) -> Sequence[Attached]:
    ids = host.docker("ps", "-q", "--filter", "label=com.docker.compose.project=shop").stdout.split()
    found = (view for it in ids for view in views(Container(host, it)))
    return sorted(found, key=lambda it: (it.container, it.network))


def views(container: Container) -> Sequence[Attached]:
    known = container.inspect()
    inside = {it.mac: it.mtu for it in networks.interfaces(container).values()}
    return [
        Attached(
            container=known["Config"]["Labels"]["com.docker.compose.service"],
            network=name,
            address=it["IPAddress"],
            mtu=inside[it["MacAddress"]],
            tag=networks.tag_of(container, name),
            aliases=frozenset(it["Aliases"]) - {known["Id"][:12]},
        )
        for name, it in known["NetworkSettings"]["Networks"].items()
    ]


@pytest.mark.row(11)
def test_up_down_up_leaves_the_same_state(host: NamespaceHost) -> None:
    networks.with_gateway_bridge(host)
    before = traces(host)
    host.write_file(FILE, SHOP)

    compose(host, "up", "-d")
    first = attached(host)

    assert [(it.container, it.network, it.address, it.mtu, it.tag) for it in first] == [
        ("app", "shop_back", "10.61.0.50", 1500, "30"),
        ("app", "shop_front", "10.60.0.2", 1400, "[]"),
        ("db", "shop_back", "10.61.0.60", 1500, "30"),
    ]
    assert first[1].aliases >= {"app", "www", "shop"}
    app = Container(host, host.docker("ps", "-q", "--filter", "name=app").stdout.strip())
    assert "Address: 10.61.0.60" in app.exec("nslookup", "database").stdout
    assert app.pings("10.61.0.60")
    clean(host)

    compose(host, "down", "-t", "1")
    left_as(host, before)

    compose(host, "up", "-d")
    assert attached(host) == first
    clean(host)
    compose(host, "down", "-t", "1")
    left_as(host, before)
