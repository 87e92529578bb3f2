"""The doctor's judgement of this host's trunk. Pure."""

from dataclasses import dataclass

from ovsnet.linux.trunk import Nic
from ovsnet.observe.findings import Finding, ok, problem
from ovsnet.settings import Settings


@dataclass(frozen=True, slots=True)
class TrunkReading:
    """`nic` is None where none is set. `is_bridge`: an OVS bridge has the name; `carrier`: whose port it is."""

    nic: Nic | None = None
    is_bridge: bool = False
    carrier: str = ""


def trunk(it: TrunkReading, settings: Settings) -> Finding:
    """Whether networks without a tunnel can be on this host."""
    subject = "trunk"
    if it.nic is None:
        return ok(subject, "none is set: networks with mode=underlay cannot be on this host")
    if it.is_bridge:
        return ok(subject, f"the OVS bridge {it.nic.name}")
    remedy = "name another one in the setting trunk and restart the agent"
    if it.carrier not in ("", settings.bridge):
        says = f"interface '{it.nic.name}' is a port of the OVS bridge '{it.carrier}'"
        return problem(subject, says, f"name that bridge in the setting trunk, or {remedy}")
    if it.nic.obstacle:
        return problem(subject, it.nic.obstacle, remedy)
    return ok(subject, f"interface {it.nic.name} with MTU {it.nic.mtu}")
