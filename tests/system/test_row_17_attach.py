"""Rows 17, 18, 21 to 27, 29 to 31: interfaces attached to running containers, on bridges and on networks."""

import json
import shlex
import statistics
import time
from collections.abc import Iterator

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import foreign, networks
from tests.system.attached import addresses, detach_all, in_force, interface, is_up, port
from tests.system.parties import RAW_SOCKET
from tests.system.traces import left_as, traces

ATTACHED_WITHIN = 0.3
"""Seconds (row 96)."""


@pytest.fixture(scope="module")
def pair(module_host: NamespaceHost) -> tuple[Container, Container]:
    """Two containers that have nothing but what is attached to them."""
    foreign.set_up(module_host)
    c1, c2 = networks.start(module_host, "c1", "c2", network="none")
    return c1, c2


@pytest.fixture(autouse=True)
def nothing_stays(pair: tuple[Container, Container]) -> Iterator[None]:
    host = pair[0].host
    before, theirs = traces(host), foreign.look(host)
    yield
    detach_all(host, "c1", "c2")
    left_as(host, before)
    assert foreign.look(host) == theirs, "what others have stays as it is, byte by byte"


def attach(container: Container, words: str, *, check: bool = True) -> Completed:
    return container.host.ovsnet("attach", container.name, *shlex.split(words), check=check)


def refused(container: Container, words: str) -> str:
    done = attach(container, words, check=False)
    assert done.returncode == 2, done.stdout
    return done.stderr


@pytest.mark.row(17, 18, 21, 26, 29)
def test_two_containers_meet_on_a_bridge_that_was_made_for_them(pair: tuple[Container, Container]) -> None:
    c1, c2 = pair
    host = c1.host
    said = attach(c1, "--bridge ovsbr0 --ifname eth1 --ip 192.168.1.1/24 --ip 2001:db8::1/64 --ip 192.168.1.9/24")
    assert "Interface eth1 of c1 is on bridge ovsbr0 with 192.168.1.1/24, 2001:db8::1/64" in said.stdout
    attach(c2, "--bridge ovsbr0 --ip 192.168.1.2/24 --ip 2001:db8::2/64")

    assert "eth1" in c1.inside("ip", "-br", "addr").stdout
    assert is_up(c1, "eth1")
    assert addresses(c1, "eth1") == {"192.168.1.1/24", "192.168.1.9/24", "2001:db8::1/64"}
    assert all(c1.pings(it) for it in ("192.168.1.2", "2001:db8::2"))
    assert c2.pings("192.168.1.9")
    assert "has an interface eth1 already, attached to bridge ovsbr0" in refused(c1, "--bridge ovsbr0 --ifname eth1")
    assert "address 192.168.1.2 is held by eth1 of c2" in refused(c1, "--bridge ovsbr0 --ip 192.168.1.2/24")
    name = port(host, "c1", "eth1")
    assert host.ovs_vsctl("port-to-br", name).stdout.strip() == "ovsbr0"
    assert "bridge ovsbr0" in host.ovsnet("ps", "c1").stdout

    host.ovsnet("detach", "c1", "eth1")

    assert interface(c1, "eth1") is None
    assert name not in host.ovs_vsctl("list-ports", "ovsbr0").stdout.split()
    assert not host.exists(f"/sys/class/net/{name}")
    assert "ovsbr0" in host.bridges(), "others may use it by now"
    again = host.ovsnet("detach", "c1", "eth1", check=False)
    assert "c1 has no attached interface eth1; it has: none" in again.stderr
    assert host.ovsnet("detach", "c1", "eth1", "--if-exists").ok


@pytest.mark.row(16, 17, 20)
def test_somebodys_bridge_is_used_and_not_touched(pair: tuple[Container, Container]) -> None:
    c1, c2 = pair
    host = c1.host
    host.shell(f"{foreign.OFCTL} add-flow br-theirs cookie=0x42,priority=3,actions=normal")
    attach(c1, "--bridge br-theirs --ip 192.168.2.1/24 --vlan 20")
    attach(c2, "--bridge br-theirs --ip 192.168.2.2/24 --vlan 20")
    assert c1.pings("192.168.2.2")
    assert host.ovs_vsctl("get", "port", port(host, "c1", "eth1"), "tag").stdout.strip() == "20"
    in_force(host)
    host.shell(f"{foreign.OFCTL} del-flows br-theirs cookie=0x42/-1")


@pytest.mark.row(22)
@pytest.mark.fault("second-default-route", "ipv6-gateway-as-ipv4")
def test_one_default_route_also_by_a_gateway_outside_of_the_subnet(module_host: NamespaceHost) -> None:
    with module_host.container("c3", network="bridge") as c3:
        assert networks.default_routes(c3) == ["eth0"]
        attach(c3, "--bridge ovsbr0 --ip 192.168.1.3/32@10.255.0.1 --ip 2001:db8::3/128@2001:db8:ffff::1")
        assert networks.default_routes(c3) == ["eth1"]
        routes = c3.inside("ip", "-4", "route").stdout + c3.inside("ip", "-6", "route").stdout
        assert "10.255.0.1 dev eth1 proto static scope link" in routes
        assert "2001:db8:ffff::1 dev eth1" in routes
        assert "default via 2001:db8:ffff::1 dev eth1" in routes
    wait_until(lambda: port(module_host, "c3", "eth1") == "", 5, "what was attached to c3 to be forgotten")


@pytest.mark.row(23, 24, 25)
def test_mac_mtu_and_names_are_as_asked(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    attach(c1, "--bridge ovsbr0 --ifname lan0 --host-ifname web-c1 --mac auto:web1 --mtu 1400")
    inside = interface(c1, "lan0")
    assert (inside["address"], inside["mtu"]) == ("02:66:ee:60:6d:50", 1400)
    assert host.read_file("/sys/class/net/web-c1/mtu").strip() == "1400"
    assert "more than 15 characters" in refused(c1, "--bridge ovsbr0 --host-ifname this-name-is-long")
    host.ovsnet("detach", "c1", "lan0")
    assert not host.exists("/sys/class/net/web-c1")


@pytest.mark.row(17, 21, 29, 84)
def test_an_interface_on_a_network_is_like_the_engines(pair: tuple[Container, Container]) -> None:
    c1, c2 = pair
    host = c1.host
    networks.create(host, "web", "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64", "-o", "egress=none")
    with host.container("w1", network="web") as w1:
        attach(c1, "--network web")
        attach(c2, "--network web --ip 10.20.0.77 --ifname web0")
        assert "10.20.0.77/24" in addresses(c2, "web0")
        assert all(w1.pings(it.partition("/")[0]) for it in addresses(c1, "eth1"))
        assert c2.pings(w1.address("web"))
        said = refused(c1, f"--network web --ip {w1.address('web')}")
        assert "is held by container w1" in said
        c1.inside("ip", "addr", "add", "10.20.0.99/24", "dev", "eth1")
        assert not c1.inside("ping", "-c1", "-W1", "-I", "10.20.0.99", "10.20.0.77", check=False).ok, "spoofed"
        listed = networks.ask(host, "endpoints")
        assert {(it["container"], it["network"], it["ifname"]) for it in listed if it["attachment_id"]} == {
            ("c1", "web", "eth1"),
            ("c2", "web", "web0"),
        }
        in_force(host)
    detach_all(host, "c1", "c2")
    host.docker("network", "rm", "web")


@pytest.mark.row(20, 24, 32)
@pytest.mark.fault("vlan-4095")
def test_what_is_attached_changes_while_it_runs(pair: tuple[Container, Container], figures: Figures) -> None:
    c1, c2 = pair
    host = c1.host
    for container, number in ((c1, 1), (c2, 2)):
        attach(container, f"--bridge ovsbr0 --vlan 20 --ip 192.168.1.{number}/24")
    name = port(host, "c1", "eth1")
    ofport = host.ovs_vsctl("get", "interface", name, "ofport").stdout
    with Flood(c1, c2, "192.168.1.2", rate=100) as flood:
        host.ovsnet("set", "c1", "eth1", "--mtu", "1400")
        host.ovsnet("route", "add", "c1", "10.9.0.0/16@192.168.1.2")
        host.ovsnet("set", "c1", "--ip", "192.168.1.1/24", "--ip", "192.168.1.11/24")
    figures["packets lost while MTU, routes and addresses changed"] = flood.result.lost
    assert flood.result.lost == 0
    assert "10.9.0.0/16 via 192.168.1.2" in c1.inside("ip", "route").stdout
    assert addresses(c1, "eth1") == {"192.168.1.1/24", "192.168.1.11/24"}
    assert (interface(c1, "eth1")["mtu"], host.read_file(f"/sys/class/net/{name}/mtu").strip()) == (1400, "1400")

    host.ovsnet("route", "del", "c1", "10.9.0.0/16")
    host.ovsnet("set", "c1", "--vlan", "30", "--ip", "192.168.1.12/24")
    assert not c1.pings("192.168.1.2")
    host.ovsnet("set", "c2", "--trunk", "30", "--native", "20")
    assert host.ovs_vsctl("get", "port", port(host, "c2", "eth1"), "trunks").stdout.strip() == "[30]"
    with c2.spawn_inside("sh", "-c", "tcpdump -i eth1 -nn -e -l -c 1 vlan 30 2>&1", label="tcpdump") as seen:
        seen.wait_for_output("listening on")
        assert not c1.pings("192.168.1.2"), "it knows nothing of that VLAN"
        assert "vlan 30" in seen.wait(3).stdout
    assert addresses(c1, "eth1") == {"192.168.1.12/24"}
    assert "10.9.0.0/16" not in c1.inside("ip", "route").stdout
    assert host.ovs_vsctl("get", "interface", name, "ofport").stdout == ofport, "it was never away"
    assert "4095" in host.ovsnet("set", "c1", "--vlan", "4095", check=False).stderr
    in_force(host)


@pytest.mark.row(20)
def test_with_qinq_all_frames_get_one_more_tag_and_keep_their_own(pair: tuple[Container, Container]) -> None:
    c1, c2 = pair
    host = c1.host
    host.ovs_vsctl("set", "open_vswitch", ".", "other_config:vlan-limit=2")
    attach(c1, "--bridge ovsbr0 --vlan 100 --qinq")
    attach(c2, "--bridge ovsbr0 --vlan 100 --qinq")
    # To all, from nobody in particular, in VLAN 5, of an experimental protocol (IEEE 802).
    frame = f"ffffffffffff0200000000018100000588b5{b'customer'.hex():0<92}"
    with c2.spawn_inside(*RAW_SOCKET, "hear", "eth1", "customer", label="heard") as heard:
        heard.wait_for_output("listening")
        c1.inside(*RAW_SOCKET, "send", "eth1", frame)
        heard.wait_for_output("customer")
    host.ovsnet("set", "c2", "--trunk", "100")
    with c2.spawn_inside("sh", "-c", "tcpdump -i eth1 -nn -e -l -c 1 vlan 100 2>&1", label="tcpdump") as seen:
        seen.wait_for_output("listening on")
        c1.inside(*RAW_SOCKET, "send", "eth1", frame)
        shown = seen.wait(3).stdout
    assert "802.1Q-QinQ" in shown
    assert shown.index("vlan 100") < shown.index("vlan 5")
    host.ovs_vsctl("remove", "open_vswitch", ".", "other_config", "vlan-limit")


@pytest.mark.row(25, 27)
def test_what_others_rename_stays_what_it_is(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    attach(c1, "--bridge ovsbr0 --ip 192.168.1.1/24")
    name = port(host, "c1", "eth1")
    host.docker("rename", "c1", "c9")
    wait_until(lambda: port(host, "c9", "eth1") == name, 5, "the port to have the container's new name beside it")
    c9 = Container(host, "c9")
    c9.inside("sh", "-c", "ip link set eth1 down && ip link set eth1 name lan0 && ip link set lan0 up")
    in_force(host)
    c9.restart()
    wait_until(lambda: is_up(c9, "eth1"), 5, "it under its own name after a start")
    host.ovsnet("detach", "c9", "eth1")
    assert interface(c9, "eth1") is None
    host.docker("rename", "c9", "c1")
    wait_until(lambda: networks.ask(host, "attachments") == [], 5, "nothing to be attached")


@pytest.mark.row(88, 94)
def test_what_is_taken_away_is_put_back_and_what_cannot_be_is_told(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    make = ("add-br", "br2", "--", "set", "bridge", "br2", "datapath_type=netdev")
    host.ovs_vsctl(*make)
    attach(c1, "--bridge br2 --ip 192.168.3.1/24@192.168.3.254 --route 10.9.0.0/16@192.168.3.2")
    routes = c1.inside("ip", "route").stdout
    host.run("ip", "link", "del", port(host, "c1", "eth1"))
    wait_until(lambda: c1.inside("ip", "route").stdout == routes, 5, "the interface to be back with its routes")
    in_force(host)
    host.ovs_vsctl("del-port", port(host, "c1", "eth1"))
    in_force(host)
    assert is_up(c1, "eth1")

    host.ovs_vsctl("del-br", "br2")
    why = "Interface eth1 of c1 is not in force: there is no bridge br2 any more"
    wait_until(lambda: why in host.ovsnet("status", check=False).stdout, 5, "status to say why it is not in force")
    assert "no: there is no bridge br2" in host.ovsnet("ps", "c1").stdout
    host.ovs_vsctl(*make)
    wait_until(lambda: port(host, "c1", "eth1") != "", 5, "its port on the new bridge")
    in_force(host)
    host.ovsnet("detach", "c1")
    host.ovs_vsctl("del-br", "br2")


@pytest.mark.row(6, 18)
def test_a_network_that_is_removed_takes_what_was_attached_to_it(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    networks.create(c1.host, "gone", "10.21.0.0/24", "-o", "egress=none")
    attach(c1, "--network gone")
    c1.host.docker("network", "rm", "gone")
    wait_until(lambda: interface(c1, "eth1") is None, 5, "the interface to be gone with its network")


@pytest.mark.row(27, 37)
@pytest.mark.fault("name-and-id-differ")
def test_a_container_by_all_its_names(module_host: NamespaceHost, pair: tuple[Container, Container]) -> None:
    label = "com.docker.compose.service=basket"
    with module_host.container("shop-basket-1", "--label", label, network="none") as shop:
        whole = shop.inspect()["Id"]
        module_host.ovsnet("attach", "basket", "--bridge", "ovsbr0")
        assert is_up(shop, "eth1")
        for name in ("basket", "shop-basket-1", whole, whole[:9]):
            said = module_host.ovsnet("attach", name, "--bridge", "ovsbr0", "--ifname", "eth1", check=False)
            assert "shop-basket-1 has an interface eth1 already" in said.stderr, name
        with module_host.container("guest", network=f"container:{whole}") as guest:
            assert "eth1" in guest.exec("ip", "link").stdout
        module_host.ovsnet("detach", whole[:9], "eth1")
        assert interface(shop, "eth1") is None
    assert (
        "there is no container 'nobody'"
        in module_host.ovsnet("attach", "nobody", "--bridge", "ovsbr0", check=False).stderr
    )
    with module_host.container("open", network="host"):
        said = module_host.ovsnet("attach", "open", "--bridge", "ovsbr0", check=False)
        assert "the host's own network" in said.stderr


@pytest.mark.row(96)
def test_how_long_it_takes(pair: tuple[Container, Container], figures: Figures) -> None:
    c1, _ = pair
    order = json.dumps({"target": "c1", "bridge": "ovsbr0", "ifname": "eth1", "addresses": ["192.168.1.1/24"]})
    url = "http://ovsnet/v1/attachments"
    took = []
    for _ in range(10):
        began = time.monotonic()
        c1.host.run(*networks.API, "-d", order, f"{url}/attach")
        took.append(time.monotonic() - began)
        c1.host.run(*networks.API, "-d", '{"target": "c1", "all": true}', f"{url}/detach")
    figures["seconds of an attach by the API until the interface is up, median and most of 10"] = [
        round(statistics.median(took), 3),
        round(max(took), 3),
    ]
    assert statistics.median(took) < ATTACHED_WITHIN


@pytest.mark.row(30)
def test_waiting_for_an_interface(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    late = host.ovsnet("wait", "c1", "eth1", "--timeout", "0.2", check=False)
    assert (late.returncode, "c1 has no interface eth1 with a carrier" in late.stderr) == (1, True)
    with host.spawn(*ovsnet("wait", "c1", "eth1", "--timeout", "10"), label="wait") as waiting:
        attach(c1, "--bridge ovsbr0")
        assert waiting.wait(10).ok


def ovsnet(*words: str) -> tuple[str, ...]:
    from tests.rig.host import PROJECT  # noqa: PLC0415

    return (str(PROJECT / ".venv/bin/ovsnet"), *words)


@pytest.mark.row(31)
def test_the_neighbours_are_told(pair: tuple[Container, Container], figures: Figures) -> None:
    c1, c2 = pair
    attach(c2, "--bridge ovsbr0 --ip 192.168.1.2/24 --ip 2001:db8::2/64")
    dump = ("tcpdump", "-i", "eth1", "-nn", "-l", "-c", "2", "arp or icmp6[0] == 136")
    with c2.spawn_inside("sh", "-c", f"{shlex.join(dump)} 2>&1", label="tcpdump") as seen:
        seen.wait_for_output("listening on")
        attach(c1, "--bridge ovsbr0 --ip 192.168.1.1/24 --ip 2001:db8::1/64")
        heard = seen.wait(3).stdout
    assert "192.168.1.1" in heard
    assert "tgt is 2001:db8::1" in heard


@pytest.mark.row(38)
def test_a_namespace_of_ip_netns_and_one_of_a_process(module_host: NamespaceHost) -> None:
    host = module_host
    host.run("ip", "netns", "add", "blue")
    host.ovsnet("attach", "netns:blue", "--bridge", "ovsbr0", "--ip", "192.168.1.21/24")
    assert "192.168.1.21/24" in host.run("ip", "-n", "blue", "addr").stdout
    with host.spawn("unshare", "-n", "sleep", "1000", label="alone") as alone:
        pid = alone.pid
        wait_until(
            lambda: not host.run("test", f"/proc/{pid}/ns/net", "-ef", "/proc/1/ns/net", check=False).ok, 5, "it"
        )
        host.ovsnet("attach", f"pid:{pid}", "--bridge", "ovsbr0", "--ip", "192.168.1.22/24")
        assert host.run("ip", "netns", "exec", "blue", "ping", "-c1", "-W2", "192.168.1.22").ok
    wait_until(lambda: f"pid:{pid}" not in host.ovsnet("ps").stdout, 5, "the process's interface to be forgotten")

    host.shell("ip netns del blue && ip netns add blue")
    wait_until(lambda: "192.168.1.21/24" in host.run("ip", "-n", "blue", "addr").stdout, 5, "it in the next one, too")

    host.ovsnet("detach", "netns:blue")
    host.run("ip", "netns", "del", "blue")
