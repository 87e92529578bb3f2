"""A real switch that carries our pipeline, with a namespace and a veth pair for every endpoint.

    namespace of endpoint n:  eth0 ══ veth ══ p<n>, OpenFlow port n ── bridge `b`

On the userspace datapath, or, with OVSNET_TEST_DATAPATH=system on a machine that has it, on the kernel's.

Nobody waits for silence: after the frame that must not arrive one is sent that must; what came before is all.
"""

import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.functional.pipeline_frames import IPV4, ethernet, ipv4, udp
from tests.functional.switch import Switch, private_switch
from tests.unit.pipeline.scenarios import Names

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import Ofport
from ovsnet.model.state import State
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.flow import Group, Resource

BRIDGE = "b"
DATAPATH = os.environ.get("OVSNET_TEST_DATAPATH", "netdev")
PATIENCE = 10.0
"""Seconds after which a frame that must arrive counts as lost."""
_CLONE_NEWNET = 0x40000000
_MARK = b"that was all"
_ETH_P_ALL = 3
_SOL_PACKET, _AUXDATA = 263, 8
"""PACKET_AUXDATA (packet(7)): the kernel takes the tag out of a frame, and tells it beside."""
_VLAN_VALID = 1 << 4
_SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 0), family=family) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        with server.accept()[0] as peer:
            while octets := peer.recv(65536):
                peer.sendall(octets)
"""
_CLIENT = """
import socket, sys
address, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
total = 0
for _ in range(times):
    with socket.create_connection((address, port), timeout=10) as server:
        for _ in range(300 // times):
            server.sendall(bytes(1000))
            total += len(server.recv(1000, socket.MSG_WAITALL))
print(total)
"""


def number(endpoint: Endpoint) -> Ofport:
    """Its OpenFlow port: the states of the tests number their endpoints in the first octet of the id."""
    return Ofport(int(endpoint.id[:2], 16))


def port(endpoint: Endpoint) -> str:
    """Its port's name."""
    return f"p{number(endpoint)}"


def compiled(state: State) -> dict[str, Resource]:
    """The flows of a state in which every endpoint has its port."""
    ofports = {port(it): number(it) for it in state.endpoints.values()}
    return compile_flows(state, HostFacts(SwitchFacts(ofports=ofports)), Names())


def replacement(resources: Mapping[str, Resource]) -> str:
    """The bundle that makes these, and no others, the flows and groups of a bridge."""
    lines = [f"{'group' if isinstance(it, Group) else 'flow'} add {it.text}" for it in resources.values()]
    # Groups before the flows that use them.
    return "\n".join(["flow delete", "group delete group_id=all", *sorted(lines, reverse=True)])


@dataclass(frozen=True, slots=True)
class Trace:
    """What the switch says it would do: the tables passed, the cookies met, the actions of the datapath."""

    tables: tuple[int, ...]
    cookies: tuple[int, ...]
    megaflow: str
    actions: str


class Container:
    """One endpoint's namespace, and a raw socket on its interface."""

    def __init__(self, endpoint: Endpoint, namespace: str) -> None:
        self.endpoint = endpoint
        self.namespace = namespace
        self.mac = endpoint.mac
        self.ipv4 = "" if endpoint.ipv4 is None else str(endpoint.ipv4.ip)
        self.ipv6 = "" if endpoint.ipv6 is None else str(endpoint.ipv6.ip)
        self.link_local = str(endpoint.link_local)
        self.ofport = number(endpoint)
        self.wire = inside(namespace, lambda: raw_socket("eth0"))
        self.arrived: list[bytes] = []

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program inside."""
        whole = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(whole, capture_output=True, text=True, timeout=PATIENCE * 2, check=False)

    def pings(self, address: str, *options: str) -> bool:
        """True as soon as a ping comes back."""
        return self.run("ping", "-n", "-c", "1", "-w", "5", *options, address).returncode == 0

    def never_pings(self, address: str) -> bool:
        """True when none of four pings within a second comes back."""
        return self.run("ping", "-n", "-c", "4", "-i", "0.2", "-w", "1", address).returncode != 0

    def neighbour(self, address: str) -> str:
        """The MAC its kernel remembers for an address, "" for none."""
        found = re.search(r"lladdr (\S+)", self.run("ip", "neigh", "show", "to", address, "dev", "eth0").stdout)
        return found[1] if found else ""

    def believes(self, address: str, mac: str) -> None:
        """Put an entry into its kernel's memory, as one that was learned a while ago."""
        done = self.run("ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "stale")
        assert done.returncode == 0, done.stderr

    def send(self, frame: bytes) -> None:
        """Onto its wire, as it is."""
        self.wire.send(frame)

    def forget_arrivals(self) -> None:
        """What came until now is of no interest."""
        self.arrived.clear()
        self.wire.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.wire.recv(1)
        self.wire.settimeout(PATIENCE)

    def is_marked_by(self, sender: "Container") -> None:
        """Receive until an honest frame arrives that `sender` sends now; what it sent before comes before."""
        mark = ethernet(self.mac, sender.mac, IPV4, ipv4(sender.ipv4, self.ipv4, udp(_MARK)))
        sender.send(mark)
        frame = b""
        while frame != mark:
            frame, address = self.wire.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                self.arrived.append(frame)


class KernelSwitch(Switch):
    """A switch that may use the kernel's datapath; each network namespace has one of its own."""

    def start_daemon(self) -> None:
        self._spawn("ovs-vswitchd", self.remote)
        self.vsctl("--retry", "init")
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:started={self.pid('ovs-vswitchd')}")


class PipelineSwitch:
    """The bridge and what hangs on it."""

    def __init__(self, switch: Switch, cleanup: ExitStack) -> None:
        self.switch = switch
        self._cleanup = cleanup
        self.containers: dict[int, Container] = {}
        self.carried: set[int] = set()
        switch.add_bridge(BRIDGE, datapath=DATAPATH)

    def __getitem__(self, endpoint_number: int) -> Container:
        return self.containers[endpoint_number]

    def carry(self, state: State) -> None:
        """Plug the state's endpoints that are new, and make its flows those of the switch."""
        for endpoint in state.endpoints.values():
            if number(endpoint) not in self.containers:
                self._plug(endpoint)
        self.carried = {number(it) for it in state.endpoints.values() if it.plugged}
        self.switch.ofctl("bundle", BRIDGE, "-", stdin=replacement(compiled(state)))

    def _plug(self, endpoint: Endpoint) -> None:
        name = f"{self.switch.namespace}-c{number(endpoint)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._cleanup.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        self._wire(endpoint, name)
        container = Container(endpoint, name)
        self._cleanup.callback(container.wire.close)
        self.containers[number(endpoint)] = container

    def _wire(self, endpoint: Endpoint, namespace: str) -> None:
        call, outside = self.switch.call, port(endpoint)
        call("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        # As the product does it: the host's own protocols stay off its end, and checksums are complete.
        call("sysctl", "-qw", f"net.ipv6.conf.{outside}.disable_ipv6=1")
        call("sysctl", "-qw", f"net.ipv4.conf.{outside}.arp_ignore=8", f"net.ipv4.conf.{outside}.rp_filter=1")
        call("ethtool", "-K", outside, "tx", "off")
        inside = [
            ("ethtool", "-K", "eth0", "tx", "off"),
            ("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"),
        ]
        inside += [("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0"), ("ip", "link", "set", "lo", "up")]
        inside += [("ip", "link", "set", "eth0", "address", endpoint.mac, "up")]
        inside += [("ip", "addr", "add", str(it), "dev", "eth0") for it in (endpoint.ipv4, endpoint.ipv6) if it]
        call("ip", "link", "set", outside, "up")
        for command in inside:
            whole = ["ip", "netns", "exec", namespace, *command]
            subprocess.run(whole, check=True, stdout=subprocess.DEVNULL)
        interface = ("set", "Interface", outside, f"ofport_request={number(endpoint)}")
        self.switch.vsctl("add-port", BRIDGE, outside, "--", *interface)

    def arrivals(self, sender: Container, *frames: bytes) -> dict[int, list[bytes]]:
        """What arrives where, by endpoint number, when `sender` sends these frames."""
        everybody = {number: it for number, it in self.containers.items() if number in self.carried}
        for it in everybody.values():
            it.forget_arrivals()
        if DATAPATH == "system":
            # Else the mark could overtake: it by the kernel's cache, the frames by the daemon.
            self.forget_datapath_flows()
        for frame in frames:
            sender.send(frame)
        self._peers(sender)[0].is_marked_by(sender)
        for it in everybody.values():
            if peers := self._peers(it):
                it.is_marked_by(sender if sender in peers else peers[0])
        return {number: list(it.arrived) for number, it in everybody.items()}

    def copies(self, sender: Container, frame: bytes) -> dict[int, int]:
        """How often a frame arrives where; endpoints at which it never does are left out."""
        counts = {number: it.count(frame) for number, it in self.arrivals(sender, frame).items()}
        return {number: count for number, count in counts.items() if count}

    def _peers(self, of: Container) -> list[Container]:
        network = of.endpoint.network_id
        plugged = [it for it in self.containers.values() if it is not of and it.ofport in self.carried]
        return [it for it in plugged if it.endpoint.network_id == network]

    def echoes(self, client: Container, server: Container, address: str, times: int = 1) -> int:
        """Bytes that came back over TCP, of 300 000 that were sent over `times` connections together."""
        listening = subprocess.Popen(
            ["ip", "netns", "exec", server.namespace, sys.executable, "-c", _SERVER, address],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert listening.stdout is not None
            port = listening.stdout.readline().strip()
            done = client.run(sys.executable, "-c", _CLIENT, address, port, str(times))
            assert done.returncode == 0, done.stderr
            return int(done.stdout)
        finally:
            listening.kill()
            listening.wait()
            if listening.stdout is not None:
                listening.stdout.close()

    # ------------------------------------------------------------ asking the switch

    def trace(self, ofport: int, packet: bytes, tunnel: str = "") -> Trace:
        """What would happen to this frame; `tunnel` says how it came from another host, as a match."""
        origin = f"in_port={ofport},{tunnel}" if tunnel else f"in_port={ofport}"
        said = self.switch.call("ovs-appctl", "ofproto/trace", BRIDGE, origin, packet.hex())
        steps = re.findall(r"^ *(\d+)\. .*?priority (\d+)(?:, cookie (0x[0-9a-f]+))?", said, re.MULTILINE)
        return Trace(
            tables=tuple(int(table) for table, _, _ in steps),
            cookies=tuple(int(cookie, 16) for _, _, cookie in steps if cookie),
            megaflow=re.findall(r"^Megaflow: (.*)$", said, re.MULTILINE)[-1],
            actions=re.findall(r"^Datapath actions: (.*)$", said, re.MULTILINE)[-1],
        )

    def datapath_flows(self) -> list[str]:
        """The cached flows the datapath forwards by."""
        return self.switch.call("ovs-appctl", "dpctl/dump-flows").splitlines()

    def forget_datapath_flows(self) -> None:
        """Empty the cache."""
        self.switch.call("ovs-appctl", "dpctl/del-flows")


@contextmanager
def pipeline_switch(state: State) -> Iterator[PipelineSwitch]:
    """A running switch that carries this state; nothing of it is left afterwards."""
    kind = KernelSwitch if DATAPATH == "system" else Switch
    with private_switch(kind) as switch, ExitStack() as cleanup:
        it = PipelineSwitch(switch, cleanup)
        it.carry(state)
        yield it


# ------------------------------------------------------------ sockets in other namespaces


def inside(namespace: str, make: Callable[[], socket.socket]) -> socket.socket:
    """What `make` returns when called in the namespace. A thread has its own, and its sockets stay."""
    made: list[socket.socket] = []

    def enter() -> None:
        handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            entered = ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) == 0
        finally:
            os.close(handle)
        if entered:
            made.append(make())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return made[0]


def raw_socket(device: str) -> socket.socket:
    """What comes in and goes out by a device of the calling thread's namespace."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    wire.bind((device, 0))
    wire.settimeout(PATIENCE)
    return wire


def hear_tags(wire: socket.socket) -> None:
    """Have a raw socket tell the VLAN tags of frames to `received_with_tag`."""
    wire.setsockopt(_SOL_PACKET, _AUXDATA, 1)


def received_with_tag(wire: socket.socket) -> tuple[bytes, Any]:
    """The next frame as it is on the wire, and where it was heard."""
    frame, beside, _, where = wire.recvmsg(65536, 64)
    for level, kind, data in beside:
        if (level, kind) == (_SOL_PACKET, _AUXDATA):
            status, _, _, _, _, tag, protocol = struct.unpack_from("=IIIHHHH", data)
            if status & _VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", protocol or 0x8100, tag) + frame[12:]
    return frame, where
