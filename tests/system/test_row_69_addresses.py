"""Rows 69 and 72 on one host: many at once never share an address, and what they had comes back."""

from collections.abc import Mapping, Sequence

import pytest
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.rig import Rig, Shape
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean, left_as, traces

CROWD, LEAVE = 60, 50
ENGINE = "curl -sSf -o /dev/null --unix-socket /run/docker.sock"
DUAL_STACK = ("10.69.0.0/24", "--ipv6", "--subnet", "fd00:69::/64", "-o", "egress=none")
GATEWAYS = {"10.69.0.1", "fd00:69::1"}
PLUGIN = "/run/docker/plugins/ovsnet.sock"


def at_once(host: Host, command: str, names: Sequence[str]) -> float:
    """The command for every name (N), all at the same time; the seconds until the last one ended."""
    done = host.shell(f"printf '%s\\n' {' '.join(names)} | xargs -P {len(names)} -I N {command}", timeout=180)
    return done.seconds


def addresses(host: Host, network: str) -> Mapping[str, tuple[str, str]]:
    """Container → IPv4 and IPv6 address, as the engine lists them."""
    listed = host.docker("network", "inspect", network).json()[0]["Containers"].values()
    return {it["Name"]: (bare(it["IPv4Address"]), bare(it["IPv6Address"])) for it in listed}


def bare(interface: str) -> str:
    return interface.partition("/")[0]


def held(host: Host) -> set[str]:
    """The addresses our IPAM believes are in use, gateways included."""
    return {it["address"] for it in networks.ask(host, "leases") if it["state"] == "held"}


@pytest.mark.row(69, 72)
@pytest.mark.long
def test_containers_started_at_once_have_addresses_of_their_own_and_give_them_back(
    host: NamespaceHost, figures: Figures
) -> None:
    names = [f"c{number}" for number in range(CROWD)]
    networks.create(host, "crowd", *DUAL_STACK)
    at_once(host, "docker create --init --name N --network crowd busybox:local sleep 1000000 >/dev/null", names)
    before = traces(host)

    seconds = at_once(host, f"{ENGINE} -X POST http://engine/containers/N/start", names)

    given = addresses(host, "crowd")
    everything = {address for pair in given.values() for address in pair}
    assert given.keys() == set(names)
    assert len(everything) == 2 * CROWD
    assert held(host) == everything | GATEWAYS
    figures[f"{CROWD} dual-stack containers at once, seconds until the last one runs"] = round(seconds, 1)

    at_once(host, "docker rm -f N >/dev/null", names[:LEAVE])
    living = addresses(host, "crowd")
    assert living.keys() == set(names[LEAVE:])
    assert held(host) == {address for pair in living.values() for address in pair} | GATEWAYS
    clean(host)

    at_once(host, "docker rm -f N >/dev/null", names[LEAVE:])
    left_as(host, before)


ASK = """
import http.client, json, socket, sys
from concurrent.futures import ThreadPoolExecutor

class Door(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

def call(method, body):
    door = Door("ovsnet")
    door.request("POST", "/IpamDriver." + method, json.dumps(body))
    return json.loads(door.getresponse().read())

pool = sys.argv[2]
with ThreadPoolExecutor(50) as threads:
    answers = list(threads.map(lambda _: call("RequestAddress", {"PoolID": pool, "Address": ""}), range(200)))
    print(json.dumps(answers))
    given = [it["Address"].partition("/")[0] for it in answers]
    list(threads.map(lambda it: call("ReleaseAddress", {"PoolID": pool, "Address": it}), given))
"""


@pytest.mark.row(69)
def test_two_hundred_requests_at_once_for_an_address_are_given_two_hundred(host: NamespaceHost) -> None:
    """As the engine asks; it would take turns within one network, so this is harder than 200 `docker run`."""
    networks.create(host, "crowd", "10.69.0.0/24")
    (pool,) = [it["pool"] for it in networks.ask(host, "status")["pools"]]

    answers = host.run("python3", "-c", ASK, PLUGIN, pool).json()

    given = {it["Address"] for it in answers}
    assert len(given) == len(answers) == 200
    assert given.isdisjoint({"10.69.0.0/24", "10.69.0.1/24", "10.69.0.255/24"})
    assert held(host) == {"10.69.0.1"}


@pytest.mark.long
@pytest.mark.row(72)
def test_living_containers_keep_their_addresses_when_agent_and_engine_restart(rig: Rig) -> None:
    """In a pool so small that an address forgotten would be given to the next one that asks."""
    host = rig.host(Shape(dockerd_args="--live-restore"))
    host.agent.start()
    networks.create(host, "small", "10.72.0.0/28", "--ipv6", "--subnet", "fd00:72::/124", "-o", "egress=none")
    networks.start(host, "c1", "c2", "c3", network="small")
    before = addresses(host, "small")

    host.agent.kill()
    host.agent.wait_ready()
    host.dockerd_restart()
    host.agent.stop()
    host.agent.start()

    assert addresses(host, "small") == before
    taken = host.docker("run", "--rm", "--network", "small", "--ip", before["c1"][0], "busybox:local", check=False)
    assert not taken.ok
    assert "held by container c1" in taken.stderr
    newcomers = networks.start(host, *(f"d{number}" for number in range(10)), network="small")
    everything = [address for pair in addresses(host, "small").values() for address in pair]
    assert len(set(everything)) == len(everything) == 26
    assert newcomers[0].pings(before["c1"][0])
    full = host.docker("run", "--rm", "--network", "small", "busybox:local", check=False)
    assert "is full" in full.stderr
    clean(host)
    rig.discard(host)
