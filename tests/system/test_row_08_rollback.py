"""Row 8: what fails half-way leaves nothing, and every call may come twice."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rows import Figures
from tests.system import networks
from tests.system.plugin import call, refusal
from tests.system.traces import Traces, clean, left_as, traces

ONE_RUN = ("run", "--rm", "--network", "web", "busybox:local", "true")


@pytest.fixture(scope="module")
def web(module_host: NamespaceHost) -> Iterator[NamespaceHost]:
    """A host with a network, on which each pair is made for its endpoint."""
    module_host.agent.stop()
    module_host.agent.start("--set", "spare_ports=0")
    networks.with_gateway_bridge(module_host)
    networks.create(module_host, "web", "10.20.0.0/24")
    yield module_host
    clean(module_host)


@pytest.mark.row(8)
@pytest.mark.parametrize("stopped", ["ovs", "vswitchd"])
def test_with_the_switch_stopped_a_run_fails_soon_and_says_so(
    web: NamespaceHost, figures: Figures, stopped: str
) -> None:
    before = traces(web)
    web.services(stopped, "stop")

    failed = web.docker(*ONE_RUN, check=False)

    web.services("ovs", "start")
    web.agent.wait_ready()
    figures[f"seconds until `docker run` fails with {stopped} stopped"] = round(failed.seconds, 1)
    assert not failed.ok
    assert "Open vSwitch" in failed.stderr
    assert "is not available" in failed.stderr
    assert failed.seconds < 10
    left_as(web, before, deadline=10)
    web.docker(*ONE_RUN)


NETWORK = {"NetworkID": "5e" * 32}
ENDPOINT = {**NETWORK, "EndpointID": "ab" * 32}
POOL = {"PoolID": "ovsnet-local|10.60.0.0/24|"}
ADDRESS = {**POOL, "Address": "10.60.0.7"}
GATEWAY = {**POOL, "Address": "10.60.0.1"}
PORTS: dict[str, list[str]] = {"com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": []}

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("IpamDriver.RequestPool", {"AddressSpace": "ovsnet-local", "Pool": "10.60.0.0/24", "V6": False}),
    (
        "IpamDriver.RequestAddress",
        {**GATEWAY, "Options": {"RequestAddressType": "com.docker.network.gateway"}},
    ),
    (
        "NetworkDriver.CreateNetwork",
        {
            **NETWORK,
            "Options": {"com.docker.network.generic": {"mtu": "1400"}},
            "IPv4Data": [{"AddressSpace": "ovsnet-local", "Pool": "10.60.0.0/24", "Gateway": "10.60.0.1/24"}],
            "IPv6Data": [],
        },
    ),
    ("IpamDriver.RequestAddress", ADDRESS),
    (
        "NetworkDriver.CreateEndpoint",
        {**ENDPOINT, "Interface": {"Address": "10.60.0.7/24"}, "Options": {**PORTS, "vlan": "20"}},
    ),
    ("NetworkDriver.Join", {**ENDPOINT, "SandboxKey": "/var/run/docker/netns/none", "Options": PORTS}),
    ("NetworkDriver.ProgramExternalConnectivity", {**ENDPOINT, "Options": PORTS}),
    ("NetworkDriver.EndpointOperInfo", ENDPOINT),
    ("NetworkDriver.RevokeExternalConnectivity", ENDPOINT),
    ("NetworkDriver.Leave", ENDPOINT),
    ("NetworkDriver.DeleteEndpoint", ENDPOINT),
    ("IpamDriver.ReleaseAddress", ADDRESS),
    ("IpamDriver.ReleaseAddress", GATEWAY),
    ("IpamDriver.ReleasePool", POOL),
    ("NetworkDriver.DeleteNetwork", NETWORK),
)
# A pool and an endpoint's address are claims: the second one is another claim on what is taken.
CLAIMS = ("IpamDriver.RequestPool", "IpamDriver.RequestAddress")


def in_force(host: NamespaceHost) -> Traces:
    """What is there once all that is wanted is in force: most calls do not wait for the host."""
    clean(host)
    return traces(host)


@pytest.mark.row(8)
def test_every_driver_call_sent_twice_gives_the_same_state(web: NamespaceHost) -> None:
    before = traces(web)
    for method, body in CALLS:
        first = call(web, method, **body)
        assert refusal(first) == "", method
        after_once = in_force(web)

        second = call(web, method, **body)

        assert in_force(web) == after_once, method
        assert second == first or (method in CLAIMS and refusal(second)), (method, second)
    assert in_force(web) == before


@pytest.mark.row(8)
def test_every_deletion_of_what_is_not_known_succeeds_and_changes_nothing(web: NamespaceHost) -> None:
    before = traces(web)
    deletions = [it for it in CALLS if it[0].partition(".")[2][:5] in ("Leave", "Delet", "Relea", "Revok")]

    answers = [call(web, method, **body) for method, body in deletions]

    assert [refusal(it) for it in answers] == [""] * len(deletions)
    assert traces(web) == before


def link(host: NamespaceHost, name: str) -> Any:
    return host.run("ip", "-d", "-j", "link", "show", name).json()[0]


@pytest.mark.row(8)
def test_what_the_host_refuses_is_named_and_withdrawn(web: NamespaceHost) -> None:
    """A link of somebody else has the name we need: Join fails, and of the endpoint nothing stays."""
    made = [it for it in CALLS if it[0] in (*CLAIMS, "NetworkDriver.CreateNetwork")]
    before = traces(web)
    for method, body in made:
        call(web, method, **body)
    with_network = traces(web)
    theirs = f"ov{ENDPOINT['EndpointID'][:11]}"
    web.run("ip", "link", "add", theirs, "type", "veth", "peer", "name", "theirs")
    as_made = link(web, theirs)

    call(web, "NetworkDriver.CreateEndpoint", **ENDPOINT, Interface={"Address": "10.60.0.7/24"})
    refused = refusal(call(web, "NetworkDriver.Join", **ENDPOINT, SandboxKey="/var/run/docker/netns/none"))
    call(web, "NetworkDriver.DeleteEndpoint", **ENDPOINT)

    assert theirs in refused
    assert link(web, theirs) == as_made
    web.run("ip", "link", "del", theirs)
    left_as(web, with_network)
    call(web, "IpamDriver.ReleasePool", **POOL)
    call(web, "NetworkDriver.DeleteNetwork", **NETWORK)
    left_as(web, before)
