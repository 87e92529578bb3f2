"""Rows 75, 77: containers that have their addresses from the servers and routers of a LAN, for as long as they live."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import addresses, in_force, port
from tests.system.dhcp_lan import ACKNOWLEDGED, BACK, GIVEN_BACK, RESERVED, Lan, on_lan, server_of
from tests.system.traces import traces


@pytest.fixture(scope="module")
def whole(module_host: NamespaceHost) -> Iterator[Lan]:
    with on_lan(module_host) as it:
        yield it


@pytest.fixture
def lan(whole: Lan) -> Iterator[Lan]:
    before = replace(traces(whole.host), rules="")  # an engine that restarts puts its own into another order
    yield whole
    whole.host.ovsnet("detach", "c1", "--all", "--if-exists")
    assert whole.clients() == [], "nobody asks for addresses any more"
    wait_until(lambda: replace(traces(whole.host), rules="") == before, 5, "the host as it was before")


@pytest.mark.row(75)
def test_a_container_has_its_address_from_the_lan_until_it_stops(lan: Lan, figures: Figures) -> None:
    began = time.monotonic()
    lan.attach("--dhcp both --mac auto:web1")
    returned = time.monotonic() - began
    lan.has(RESERVED)
    figures["attach --dhcp returns"] = f"{returned:.1f} s"
    figures["address by DHCP after"] = f"{time.monotonic() - began:.1f} s"
    wait_until(lambda: len(addresses(lan.c1, "eth1")) == 2, BACK, "an IPv6 address, too")
    (six,) = addresses(lan.c1, "eth1") - {RESERVED}
    assert six.startswith("2001:db8:77::")
    assert six.endswith("/128")
    assert lan.said("client provides name: c1")
    assert networks.default_routes(lan.c1) == ["eth1"]
    assert lan.c1.pings("192.0.2.1")
    wait_until(lambda: lan.c1.pings("2001:db8:77::1"), 5, "the router answers")
    wait_until(lambda: "192.0.2.77/24" in lan.host.ovsnet("ps", "c1").stdout, 5, "ovsnet ps to show it")
    in_force(lan.host)

    lan.c1.stop()

    lan.says(GIVEN_BACK)
    wait_until(lambda: port(lan.host, "c1", "eth1") == "", 5, "its port to be gone")
    wait_until(lambda: lan.clients() == [], 5, "its client to be gone")
    lan.c1.start()
    lan.has(RESERVED)


@pytest.mark.row(75)
@pytest.mark.fault("lease-runs-out")
def test_leases_are_renewed_whoever_of_us_is_away(lan: Lan) -> None:
    lan.attach("--dhcp --mac auto:web1")
    lan.has(RESERVED)
    (client,) = lan.clients()
    began = lan.said("DHCPDISCOVER")

    lan.host.agent.kill()
    lan.host.agent.wait_ready()
    assert lan.clients() == [client]

    lan.host.agent.kill_all()
    renewed = lan.said(ACKNOWLEDGED)
    lan.says(ACKNOWLEDGED, renewed + 2)
    assert addresses(lan.c1, "eth1") == {RESERVED}
    lan.host.agent.start()

    assert lan.clients() == [client]
    assert lan.said("DHCPDISCOVER") == began
    in_force(lan.host)
    lan.host.ovsnet("detach", "c1", "eth1")
    lan.says(GIVEN_BACK)


@pytest.mark.row(75)
@pytest.mark.fault("lease-runs-out")
def test_a_killed_client_and_a_restarted_engine_are_got_over(lan: Lan) -> None:
    lan.attach("--dhcp --mac auto:web1")
    lan.has(RESERVED)
    (client,) = lan.clients()
    lan.host.run("kill", "-KILL", str(client))
    wait_until(lambda: lan.clients() not in ([], [client]), BACK, "another client")
    assert addresses(lan.c1, "eth1") == {RESERVED}

    began = time.monotonic()
    lan.host.dockerd_restart()
    assert time.monotonic() - began < 30
    lan.has(RESERVED)


@pytest.mark.row(77)
def test_a_container_gains_what_a_router_announces(lan: Lan) -> None:
    lan.attach("--slaac --mac auto:web1")
    lan.has("2001:db8:77:0:66:eeff:fe60:6d50/64")
    assert lan.c1.inside("ip", "-6", "route", "show", "default").stdout.startswith("default via fe80::")
    wait_until(lambda: lan.c1.pings("2001:db8:77::1"), 5, "the router answers")


@pytest.mark.row(75, 77)
def test_servers_and_routers_are_asked_while_it_runs_and_not_any_more(lan: Lan) -> None:
    lan.attach("--mac auto:web1")
    lan.host.ovsnet("set", "c1", "--dhcp", "v4", "--slaac")
    lan.has(RESERVED)
    lan.has("2001:db8:77:0:66:eeff:fe60:6d50/64")
    lan.host.ovsnet("set", "c1", "--dhcp", "off", "--no-slaac")
    lan.says(GIVEN_BACK)
    wait_until(lambda: addresses(lan.c1, "eth1") == set(), 5, "nothing to be left")
    assert lan.c1.inside("ip", "-6", "route", "show", "default").stdout == ""


@pytest.mark.row(75)
@pytest.mark.long
@pytest.mark.fault("lease-runs-out")
def test_an_address_is_kept_for_as_long_as_the_container_lives(lan: Lan) -> None:
    """As servers have it that say nothing of renewals: after half of the two minutes of a lease."""
    lan.server.stop()
    with server_of(lan.host, renewed_after=60) as server:
        slow = replace(lan, server=server)
        slow.attach("--dhcp --mac auto:web1")
        slow.has(RESERVED)
        wait_until(lambda: slow.said(ACKNOWLEDGED) >= 5, 330, "four renewals")
        assert slow.said("DHCPDISCOVER") == 1
        assert addresses(slow.c1, "eth1") == {RESERVED}


@pytest.mark.row(75, 97)
def test_leases_are_given_back_when_we_are_uninstalled(whole: Lan) -> None:
    host = whole.host
    whole.server.stop()
    with server_of(host, renewed_after=60) as server:
        there = replace(whole, server=server)
        there.attach("--dhcp --mac auto:web1")
        there.has(RESERVED)
        host.agent.stop()
        assert len(there.clients()) == 1

        host.ovsnet("uninstall", "--yes")

        there.says(GIVEN_BACK)
        assert there.clients() == []
