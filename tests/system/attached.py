"""What is attached on a host, as people see it."""

from typing import Any

from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.system import networks


def interface(container: Container, name: str) -> Any:
    """One interface as `ip -j addr` shows it inside; None when there is none."""
    links = container.inside("ip", "-j", "addr", "show").json()
    return next((it for it in links if it["ifname"] == name), None)


def addresses(container: Container, name: str) -> set[str]:
    """Its global addresses, with their prefix lengths; none while it is not there."""
    found = interface(container, name)
    listed = found["addr_info"] if found else []
    return {f"{it['local']}/{it['prefixlen']}" for it in listed if it["scope"] == "global"}


def is_up(container: Container, name: str) -> bool:
    """Whether it is there, up, and has a carrier."""
    found = interface(container, name)
    return bool(found) and {"UP", "LOWER_UP"} <= set(found["flags"])


def port(host: Host, container: str, name: str) -> str:
    """The OVS port of an attached interface by what is written beside it; "" when there is none."""
    keys = (f"external_ids:ovsnet-container-name={container}", f"external_ids:ovsnet-ifname={name}")
    return host.ovs_vsctl("--bare", "--columns=name", "find", "port", *keys).stdout.strip()


def in_force(host: Host) -> None:
    """Everything wanted is there."""
    wait_until(lambda: networks.ask(host, "check")["clean"], 10, "everything wanted to be in force")


def detach_all(host: Host, *containers: str) -> None:
    """Nothing is attached to these any more."""
    for it in containers:
        host.ovsnet("detach", it, "--all", "--if-exists")
