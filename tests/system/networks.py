"""Networks of ours, made with the ordinary `docker` command."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import Completed

BRIDGE = "br-ovsnet"
GATEWAY_BRIDGE = "docker_gwbridge"
DRIVER = ("-d", "ovsnet", "--ipam-driver", "ovsnet")
API = ("curl", "-sSf", "--unix-socket", "/run/ovsnet/api.sock")


def create(host: Host, name: str, subnet: str = "", *options: str, check: bool = True) -> Completed:
    """`docker network create` with our driver for packets and for addresses."""
    where = ("--subnet", subnet) if subnet else ()
    return host.docker("network", "create", *DRIVER, *where, *options, name, check=check)


def with_gateway_bridge(host: Host) -> None:
    """Docker makes its gateway bridge, with rules of its own, at the first need and keeps it: have it made already."""
    options = ("bridge.name=docker_gwbridge", "bridge.enable_icc=false", "bridge.enable_ip_masquerade=true")
    words = (word for it in options for word in ("-o", f"com.docker.network.{it}"))
    host.docker("network", "create", *words, GATEWAY_BRIDGE)


def start(host: Host, *names: str, network: str) -> tuple[Container, ...]:
    """Containers on a network, started at the same time."""
    run = f"docker run -d --init --name N --network {network} busybox:local sleep 1000000"
    host.shell(f"printf '%s\\n' {' '.join(names)} | xargs -P {len(names)} -I N {run}")
    return tuple(Container(host, name) for name in names)


def names(host: Host) -> Sequence[str]:
    """The networks Docker lists with our driver."""
    return host.docker("network", "ls", "--filter", "driver=ovsnet", "--format", "{{.Name}}").stdout.split()


def ask(host: Host, what: str) -> Any:
    """An answer of the agent's API, which is what the command line shows; faster to ask than that."""
    return json.loads(host.run(*API, f"http://ovsnet/v1/{what}").stdout)


@dataclass(frozen=True, slots=True)
class Interface:
    """A container's interface, as the container sees it."""

    name: str
    mac: str
    mtu: int
    addresses: frozenset[str]


def interfaces(container: Container) -> dict[str, Interface]:
    """By name, without the loopback; link-local addresses do not count."""
    return read_interfaces(container.inside("ip", "-j", "addr", "show").json())


def read_interfaces(links: Any) -> dict[str, Interface]:
    """The same of what `ip -j addr show` says."""
    return {
        it["ifname"]: Interface(it["ifname"], it["address"], it["mtu"], _addresses(it))
        for it in links
        if it["ifname"] != "lo"
    }


def _addresses(link: Any) -> frozenset[str]:
    return frozenset(it["local"] for it in link["addr_info"] if it["scope"] == "global")


def default_routes(container: Container) -> list[str]:
    """The devices of its IPv4 default routes."""
    return [it["dev"] for it in container.inside("ip", "-j", "-4", "route", "show", "default").json()]


def port_of(container: Container, network: str) -> str:
    """The OVS port by which a container is in a network; "" when it has none."""
    endpoint = container.inspect()["NetworkSettings"]["Networks"][network]["EndpointID"]
    key = f"external_ids:ovsnet-endpoint={endpoint}"
    found = container.host.ovs_vsctl("--bare", "--columns=name", "find", "port", key).stdout.split()
    assert len(found) <= 1, f"{container.name} has several ports in {network}: {found}"
    return found[0] if found else ""


def tag_of(container: Container, network: str) -> str:
    """What `ovs-vsctl` shows as the VLAN of its port; "[]" for none."""
    return container.host.ovs_vsctl("get", "port", port_of(container, network), "tag").stdout.strip()
