"""A real agent is killed right before or right after its n-th change, on the way in and on the way out, for every n.

    engine's calls, orders ──► agent ──► store, switch, kernel      the n-th change kills it; its keeper starts it again
            ▲                    ✝
            └── no answer: asked again, as the engine does

Afterwards `ovsnet check` is clean, the host looks as it does when nobody dies, and nothing is left when all is gone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.functional.boundary import Fate
from tests.functional.fault_world import differing, shown
from tests.functional.kernel import Inside, container
from tests.functional.mortal_rig import MortalAgent, mortal_agent

pytestmark = [pytest.mark.functional, pytest.mark.row(8, 10)]

FATES = (Fate.DIES_BEFORE, Fate.DIES_AFTER)
BY_CHANCE = re.compile(r"(?<=o[vc])[0-9a-f]{11}|[0-9a-f]{64}|[0-9a-f]{2}(:[0-9a-f]{2}){5}")
NETWORK = {"NetworkID": "5e" * 32}
ENDPOINT = {**NETWORK, "EndpointID": "ab" * 32}
PORTS = {
    "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 80}],
    "com.docker.network.portmap": [
        {"Proto": proto, "IP": "", "Port": port, "HostIP": "", "HostPort": host, "HostPortEnd": host}
        for proto, port, host in ((6, 80, 8080), (17, 53, 5353))
    ],
}


@dataclass
class Rig:
    """An agent that is on duty, and a namespace that plays a container."""

    agent: MortalAgent
    inside: Inside
    looks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def seen(self) -> dict[str, Any]:
        """The host, without what is random, as soon as a port is there again for the next container."""
        spare = ("--bare", "--columns=name", "find", "port", "external_ids:ovsnet-spare=true")
        self.agent.until(lambda: len(self.agent.switch.vsctl(*spare).split()) == 1, "a spare port")
        self.agent.wait_ready()
        found = shown(self.agent.switch, "br-ovsnet", {"inside": self.inside})
        return {key: _without_chance(it) for key, it in found.items()}


def _without_chance(it: Any) -> Any:
    if isinstance(it, dict):
        return {key: _without_chance(value) for key, value in it.items()}
    if isinstance(it, list | tuple):
        return [_without_chance(one) for one in it]
    return BY_CHANCE.sub("…", it) if isinstance(it, str) else it


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """With a network that leads out by this host."""
    with mortal_agent() as agent, container() as inside:
        agent.switch.call("ip", "link", "add", "nic0", "up", "type", "veth", "peer", "name", "nic0far")
        pool = agent.call("IpamDriver.RequestPool", AddressSpace="ovsnet-local", Pool="10.60.0.0/24", V6=False)
        kind = {"RequestAddressType": "com.docker.network.gateway"}
        agent.call("IpamDriver.RequestAddress", PoolID=pool["PoolID"], Address="10.60.0.1", Options=kind)
        agent.call(
            "NetworkDriver.CreateNetwork",
            **NETWORK,
            Options={"com.docker.network.generic": {"egress": "nat"}},
            IPv4Data=[{"AddressSpace": "ovsnet-local", "Pool": "10.60.0.0/24", "Gateway": "10.60.0.1/24"}],
            IPv6Data=[],
        )
        agent.call("IpamDriver.RequestAddress", PoolID=pool["PoolID"], Address="10.60.0.7")
        yield Rig(agent, inside)


# ------------------------------------------------------------------------- in and out


def run_in(rig: Rig) -> None:
    """What the engine asks for a container that starts."""
    call = rig.agent.call
    call("NetworkDriver.CreateEndpoint", **ENDPOINT, Interface={"Address": "10.60.0.7/24"}, Options=PORTS)
    call("NetworkDriver.Join", **ENDPOINT, SandboxKey=rig.inside.sandbox, Options=PORTS)
    call("NetworkDriver.ProgramExternalConnectivity", **ENDPOINT, Options=PORTS)


def run_out(rig: Rig) -> None:
    """What it asks for one that stops."""
    for method in ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint"):
        rig.agent.call(f"NetworkDriver.{method}", **ENDPOINT)


ATTACHED: dict[str, dict[str, Any]] = {
    "eth1": {
        "bridge": "lan",
        "addresses": ["192.0.2.7/24@192.0.2.1"],
        "rules": ["from 192.0.2.7/32 table 5 priority 100"],
        "rate": "50mbit",
    },
    "eth2": {"macvlan": "nic0", "addresses": ["192.0.3.7/24"]},
}


def attach(rig: Rig) -> None:
    """Orders; one that was obeyed and not answered is refused when it comes again, as its interface is there."""
    for ifname, more in ATTACHED.items():
        said = rig.agent.order("attachments/attach", target=f"netns:{rig.inside.name}", ifname=ifname, **more)
        assert "id" in said or f"{ifname}" in str(said), said


def detach(rig: Rig) -> None:
    """The same way out."""
    for ifname in ATTACHED:
        said = rig.agent.order("attachments/detach", target=f"netns:{rig.inside.name}", ifname=ifname, if_exists=True)
        assert "message" in said, said


Step = Callable[[Rig], None]
WAYS: dict[str, tuple[Step, Step]] = {"container": (run_in, run_out), "attachments": (attach, detach)}


# ------------------------------------------------------------------------- for every n


def there_and_back(rig: Rig, way: str) -> list[dict[str, Any]]:
    """What is seen when it is in, and when it is out again."""
    seen = []
    for step in WAYS[way]:
        step(rig)
        rig.agent.wait_ready()
        seen.append(rig.seen())
    return seen


def verdict(rig: Rig, way: str, number: int, fate: Fate) -> tuple[str, list[str]]:
    """Of which change the agent died, "" when it lived; and what was not as it must be."""
    looks = expected(rig, way)
    rig.agent.doom(number, fate)
    seen = there_and_back(rig, way)
    wrong = [one for must, it in zip(looks, seen, strict=True) for one in differing(must, it)]
    return rig.agent.died_of(), wrong


def expected(rig: Rig, way: str) -> list[dict[str, Any]]:
    """How it looks when nobody dies."""
    if way not in rig.looks:
        rig.agent.doom(0, Fate.DIES_AFTER)
        if way == "attachments":
            there_and_back(rig, way)  # the bridge that it makes stays
        rig.looks[way] = there_and_back(rig, way)
    return rig.looks[way]


def test_killed_between_two_steps_it_goes_on_where_it_was(rig: Rig) -> None:
    of, wrong = verdict(rig, "container", 9, Fate.DIES_AFTER)

    assert of, "it was killed"
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("way", WAYS)
def test_killed_between_any_two_steps_it_goes_on_where_it_was(rig: Rig, way: str, fate: Fate) -> None:
    number, wrong, of = 0, list[str](), "yes"
    while of:
        number += 1
        of, differences = verdict(rig, way, number, fate)
        wrong += [f"{number}: {of}: {it}" for it in differences]
    assert not wrong, "\n".join(wrong)
    assert number > 10
