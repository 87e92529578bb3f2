"""Row 2: the interface is there before the container's first process is."""

import ipaddress

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean, left_as, traces

AT_ONCE = 50
# A first process that has nothing but one try: its address, and one echo from its neighbour.
FIRST = "ip -4 -o addr show eth0; ping -c 1 -W 1 10.20.0.2 >/dev/null && echo reached"


def several(count: int, at_once: int, command: str) -> str:
    """A shell line that runs `command` so often, `at_once` at a time, and says how each one ended."""
    each = f"{command} || echo failed"
    return f"seq {count} | xargs -P {at_once} -I N sh -c '{each}' 2>&1"


@pytest.mark.row(2)
@pytest.mark.parametrize("runs", [30, pytest.param(100, marks=pytest.mark.long)])
def test_every_first_process_sees_its_address_and_reaches_its_neighbour(
    host: NamespaceHost, figures: Figures, runs: int
) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    run = f'docker run --rm --network web busybox:local sh -c "{FIRST}"'

    with host.container("neighbour", "--ip", "10.20.0.2", network="web"):
        done = host.shell(several(runs, 4, run), timeout=180)
        clean(host)

    said = done.stdout
    figures["runs that saw their address at once"] = f"{said.count('inet 10.20.0.')} of {runs}"
    figures["runs that reached their neighbour at once"] = f"{said.count('reached')} of {runs}"
    assert said.count("inet 10.20.0.") == runs, said
    assert said.count("reached") == runs, said


@pytest.mark.long
@pytest.mark.row(2)
def test_fifty_containers_started_at_once_all_run_with_addresses_of_their_own(
    host: NamespaceHost, figures: Figures
) -> None:
    networks.with_gateway_bridge(host)
    networks.create(host, "crowd", "10.22.0.0/24")
    before = traces(host)

    run = "docker run -d --init --name cN --network crowd busybox:local sleep 1000000 >/dev/null"
    started = host.shell(several(AT_ONCE, AT_ONCE, run), timeout=120)
    assert started.stdout == ""

    listed = host.docker("network", "inspect", "crowd").json()[0]["Containers"].values()
    addresses = [ipaddress.ip_interface(it["IPv4Address"]).ip for it in listed]
    macs = {it["MacAddress"] for it in listed}
    assert len(addresses) == len(set(addresses)) == len(macs) == AT_ONCE
    clean(host)
    figures["50 `docker run` at once, seconds until the last one runs"] = round(started.seconds, 1)

    host.remove_containers()
    left_as(host, before)
