"""Several real switches that carry our pipeline, joined by tunnels over a wire on which the test listens.

    containers ══ bridge `b` ── tunnel ─┐
                                        └─ VTEP on eth1 ══ veth ══ h-<host> ── Linux bridge `u`
    one network namespace a host                             the namespace of the underlay

    bridge `b` ── eth9 ══ veth ══ t-<host> ── Linux bridge `trunks`           the same for trunks

The VTEP is on eth1 itself, or, for Open vSwitch's own tunnels on the userspace datapath, on an OVS bridge of the same
datapath that holds eth1: that datapath looks nowhere else.
"""

import itertools
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from tests.functional.pipeline_frames import IPV4, IPV6, UDP, ethernet, vxlan
from tests.functional.pipeline_switch import (
    BRIDGE,
    DATAPATH,
    Container,
    KernelSwitch,
    PipelineSwitch,
    hear_tags,
    inside,
    number,
    raw_socket,
    received_with_tag,
    replacement,
)
from tests.functional.switch import Switch, private_switch
from tests.states import endpoint, state
from tests.unit.pipeline.scenarios import SHARED_WEB, TRUNK, Names, compiled, ofports, overlay, remote, vtep

from ovsnet.model.cluster import Encapsulation
from ovsnet.model.host import HostFacts, PortPlan, TunnelPlan
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.model.listening import EVERYTHING, Listening
from ovsnet.model.network import Network
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from ovsnet.pipeline.remote import is_on_trunk
from ovsnet.plan import names
from ovsnet.plan.host import plan_host

Kinds = Mapping[HostName, TunnelKind]
Placement = Mapping[HostName, Sequence[int]]
"""Which endpoints, by number, are on which host."""
ALL_GROUPS: Mapping[int, Listening] = {}
"""What endpoints listen to while nobody has told."""
_MLD_REPORTS = b"\x33\x33\x00\x00\x00\x16"
_SO_RCVBUFFORCE = 33
"""socket(7): also above the limit for others."""
_numbers = itertools.count()
TRUNKS = "trunks"
"""The Linux bridge that joins the trunks, and passes tags."""
WIRE_MTU = 1600
"""Octets of an IP packet between hosts: room for a container's 1500 and a tunnel around it."""
TRUNK_MTU = 1500
BEGINNINGS = {Encapsulation.VXLAN: b"\x08\0\0\0", Encapsulation.GENEVE: b"\0\0\x65\x58"}
"""Of a header: there is a VNI (RFC 7348 5); version 0, no options, an Ethernet frame (RFC 8926 3.4)."""


@dataclass(frozen=True, slots=True)
class Tunnelled:
    """A packet between hosts (RFC 7348, RFC 8926), and the frame in it."""

    source: str
    target: str
    vni: int
    frame: bytes
    encapsulation: Encapsulation = Encapsulation.VXLAN


class Host(PipelineSwitch):
    """One of the hosts."""

    def __init__(self, switch: Switch, cleanup: ExitStack) -> None:
        super().__init__(switch, cleanup)
        self.mac = switch.call("cat", "/sys/class/net/eth1/address").strip()
        self._forwards: dict[str, frozenset[tuple[str, IpAddress]]] = {}
        self._ports: set[str] = set()

    def settle(self, local: IpAddress, kind: TunnelKind) -> None:
        """Put the VTEP where tunnels of this kind look for it."""
        call = self.switch.call
        call("ethtool", "-K", "eth1", "tx", "off")
        device = "eth1"
        if kind is TunnelKind.OVS and DATAPATH == "netdev":
            device = "br-phy"
            settings = (f"datapath_type={DATAPATH}", f'other_config:hwaddr="{self.mac}"')
            self.switch.vsctl("add-br", device, "--", "set", "bridge", device, *settings)
            self.switch.vsctl("add-port", device, "eth1")
        call("ip", "addr", "add", f"{local}/{24 if local.version == 4 else 64}", "dev", device, *_at_once(local))
        call("ip", "link", "set", device, "up")

    def carry_all(self, wanted: State, there: Overlay) -> None:
        """Plug what is new here, plan and make the tunnels, and make the flows of both those of the switch."""
        plan = plan_host(wanted, HostFacts(overlay=there), bridge=BRIDGE, instance="test")
        for device in plan.tunnels.values():
            self._make_device(device)
        for tunnel in plan.ports.values():
            # Ports that only watch a path (BFD) carry no packet of ours.
            if names.TRUNK_KEY in tunnel.external_ids and tunnel.name not in self._ports:
                self._plug_trunk(tunnel, wanted)
            if names.is_tunnel(tunnel.name) and not tunnel.bfd and tunnel.name not in self._ports:
                self._plug_tunnel(tunnel, wanted, there)
        for it in wanted.endpoints.values():
            if number(it) not in self.containers:
                self._plug(it)
        self.carried = {number(it) for it in wanted.endpoints.values() if it.plugged}
        self.switch.ofctl("bundle", BRIDGE, "-", stdin=replacement(compiled(wanted, there)))

    def _make_device(self, plan: TunnelPlan) -> None:
        """As the product's applier does it, in a person's words."""
        call = self.switch.call
        if plan.name not in self._forwards:
            what = ("type", "vxlan", "id", str(plan.vni), "local", str(plan.local), "dev", plan.device)
            call("ip", "link", "add", plan.name, "mtu", "1500", *what, "dstport", str(plan.udp_port), "nolearning")
            call("sysctl", "-qw", f"net.ipv6.conf.{plan.name}.disable_ipv6=1")
            call("ip", "link", "set", plan.name, "up")
        before = self._forwards.get(plan.name, frozenset())
        for verb, forwards in (("append", plan.forwards - before), ("del", before - plan.forwards)):
            for mac, there in sorted(forwards, key=str):
                who = mac or "00:00:00:00:00:00"
                call("bridge", "fdb", verb, who, "dev", plan.name, "dst", str(there), "self", "permanent")
        self._forwards[plan.name] = plan.forwards

    def _plug_trunk(self, plan: PortPlan, wanted: State) -> None:
        number = ofports(wanted)[plan.name]
        self.switch.vsctl(
            "add-port", BRIDGE, plan.name, "--", "set", "Interface", plan.name, f"ofport_request={number}"
        )
        self._ports.add(plan.name)

    def _plug_tunnel(self, plan: PortPlan, wanted: State, there: Overlay) -> None:
        known = Names()
        calls = {names.tunnel_port(there, it.vni): known.tunnel_port(there, it.vni) for it in wanted.networks.values()}
        columns = [f"ofport_request={ofports(wanted)[calls[plan.name]]}"]
        if plan.options:
            columns += [f"type={plan.kind}", *(f'options:{key}="{value}"' for key, value in plan.options.items())]
        self.switch.vsctl("add-port", BRIDGE, plan.name, "--", "set", "Interface", plan.name, *columns)
        self._ports.add(plan.name)


class Wire:
    """The underlay: every packet between hosts, once."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._listening = inside(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self._listening.setblocking(False)
        self._listening.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)

    def close(self) -> None:
        """Listen no longer."""
        self._listening.close()

    def forget(self) -> None:
        """What crossed until now is of no interest."""
        self.crossed()

    def crossed(self) -> list[Tunnelled]:
        """What the hosts have sent each other through tunnels since the last time.

        Without reports of multicast listeners, which kernels send when they like.
        """
        tunnelled = (_unwrapped(frame) for frame in self.frames())
        return [it for it in tunnelled if it is not None and not it.frame.startswith(_MLD_REPORTS)]

    def frames(self) -> list[bytes]:
        """Every frame that came from a host since the last time."""
        found = []
        with suppress(BlockingIOError):
            while True:
                frame, (device, _, direction, *_) = self._listening.recvfrom(65536)
                if device.startswith("h-") and direction != socket.PACKET_OUTGOING:
                    found.append(frame)
        return found

    def inject(self, towards: HostName, frame: bytes) -> None:
        """Put a frame onto the wire to one host."""
        with inside(self.namespace, lambda: raw_socket(f"h-{towards}")) as wire:
            wire.send(frame)


class TrunkWire(Wire):
    """The network that joins the trunks: every frame between hosts, once, with its tag."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        hear_tags(self._listening)

    def frames(self) -> list[bytes]:
        """Every frame that came from a host since the last time."""
        found = []
        with suppress(BlockingIOError):
            while True:
                frame, (device, _, direction, *_) = received_with_tag(self._listening)
                if device.startswith("t-") and direction != socket.PACKET_OUTGOING:
                    found.append(frame)
        return found

    def inject(self, towards: HostName, frame: bytes) -> None:
        """Put a frame onto the trunk of one host."""
        with inside(self.namespace, lambda: raw_socket(f"t-{towards}")) as wire:
            wire.send(frame)


class Fabric:
    """The hosts and what is between them."""

    encapsulation = Encapsulation.VXLAN

    def __init__(self, hosts: Mapping[HostName, Host], wire: Wire, kinds: Kinds, family: int) -> None:
        self.hosts = hosts
        self.wire = wire
        self.kinds = kinds
        self.family = family
        self.trunks = TrunkWire(wire.namespace)

    def __getitem__(self, endpoint_number: int) -> Container:
        return next(it[endpoint_number] for it in self.hosts.values() if endpoint_number in it.carried)

    def overlay(
        self,
        here: HostName,
        placement: Placement,
        network: Network,
        dead: Sequence[HostName] = (),
        listens: Mapping[int, Listening] = ALL_GROUPS,
    ) -> Overlay:
        """What one host knows of the others when all have published what they have."""
        peers = tuple(it for it in self.hosts if it not in (here, *dead))
        there = [
            remote(it, host, network, listens=listens.get(it, EVERYTHING))
            for host, numbers in placement.items()
            if host in self.hosts
            for it in numbers
        ]
        others = [it for it in there if it.host != here]
        trunk = TRUNK if is_on_trunk(network) else ""
        made = overlay(*others, peers=peers, kind=self.kinds[here], family=self.family, here=here, trunk=trunk)
        return replace(made, encapsulation=self.encapsulation, udp_port=self.encapsulation.usual_port)

    def carry(
        self,
        placement: Placement,
        network: Network = SHARED_WEB,
        *,
        dead: Sequence[HostName] = (),
        listens: Mapping[int, Listening] = ALL_GROUPS,
    ) -> None:
        """These endpoints on these hosts, all of one network; `dead` hosts are not believed to live."""
        for host, it in self.hosts.items():
            here = [endpoint(one, network) for one in placement.get(host, ())]
            local = state(network, *(replace(it, listens=listens.get(number(it), EVERYTHING)) for it in here))
            it.carry_all(local, self.overlay(host, placement, network, dead, listens))

    def forget_datapath_flows(self) -> None:
        """The next frame is forwarded by the tables as they are now, on every host."""
        for it in self.hosts.values():
            it.forget_datapath_flows()

    def meet(self) -> None:
        """Let the hosts find each other's MACs, which may cost the first packets between them."""
        for one, other in self._pairs():
            met = one.run("ping", "-n", "-c", "1", "-i", "0.05", "-w", "5", other.ipv4)
            assert met.returncode == 0, f"{one.namespace} does not reach {other.ipv4}"
        self.wire.forget()

    def _pairs(self) -> Iterator[tuple[Container, Container]]:
        first = [it[min(it.carried)] for it in self.hosts.values() if it.carried]
        yield from ((one, other) for one in first for other in first if one is not other)

    def copies(self, sender: Container, frame: bytes) -> dict[int, int]:
        """How often a frame arrives where, on any host; endpoints at which it never does are left out."""
        everybody = self._everybody()
        self._forget()
        sender.send(frame)
        # First who may get it, so that it has left when the others are asked.
        for it in sorted(everybody, key=lambda it: it.endpoint.network_id != sender.endpoint.network_id):
            it.is_marked_by(self._marker(it, sender))
        return _counted(everybody, frame)

    def injected(self, by: HostName, towards: HostName, vni: int, frame: bytes, witness: Container) -> dict[int, int]:
        """How often a frame arrives at which endpoint of a host when somebody on the wire sends it to its VTEP.

        It comes as from `by`, which may be a host that is not there. `witness`, an endpoint on another host, sends
        right after it what must arrive.
        """
        host = self.hosts[towards]
        there = [it for number, it in host.containers.items() if number in host.carried]
        self._forget()
        kind = IPV4 if self.family == 4 else IPV6
        packet = vxlan(str(vtep(by, self.family)), str(vtep(towards, self.family)), vni, frame)
        # The true MAC of a host: Open vSwitch learns from what comes out of tunnels where to send.
        sender = self.hosts[by].mac if by in self.hosts else "0e:00:00:00:00:99"
        self.wire.inject(towards, ethernet(host.mac, sender, kind, packet))
        for it in there:
            it.is_marked_by(witness)
        return _counted(there, frame)

    def _everybody(self) -> list[Container]:
        return [it.containers[number] for it in self.hosts.values() for number in sorted(it.carried)]

    def forget_caches(self) -> None:
        """Else the mark could overtake on the kernel's datapath: it by the cache, what is looked for by the daemon."""
        if DATAPATH == "system":
            for it in self.hosts.values():
                it.forget_datapath_flows()

    def _forget(self) -> None:
        self.forget_caches()
        for it in self._everybody():
            it.forget_arrivals()
        self.wire.forget()

    def _marker(self, receiver: Container, sender: Container) -> Container:
        """Who can reach `receiver` on the same ways as `sender` would."""
        network = receiver.endpoint.network_id
        peers = [it for it in self._everybody() if it is not receiver and it.endpoint.network_id == network]
        beside = next(host for host in self.hosts.values() if sender in host.containers.values())
        return min(peers, key=lambda it: (it is not sender, it not in beside.containers.values()))


@contextmanager
def fabric(hosts: Sequence[HostName], kind: TunnelKind | Kinds, family: int = 4) -> Iterator[Fabric]:
    """Running hosts on one wire; nothing of them is left afterwards."""
    kinds = dict.fromkeys(hosts, kind) if isinstance(kind, TunnelKind) else kind
    with ExitStack() as cleanup:
        namespace = f"ovt{os.getpid()}-wire{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        cleanup.callback(subprocess.run, ["ip", "netns", "del", namespace], check=True)
        _ip(namespace, "link", "add", "u", "mtu", str(WIRE_MTU), "type", "bridge", "mcast_snooping", "0")
        _ip(namespace, "link", "add", TRUNKS, "mtu", str(WIRE_MTU), "type", "bridge", "mcast_snooping", "0")
        _ip(namespace, "link", "set", "u", "up")
        _ip(namespace, "link", "set", TRUNKS, "up")
        switches = {host: joined(cleanup, namespace, host) for host in hosts}
        for host, it in switches.items():
            it.settle(vtep(host, family), kinds[host])
        wire = Wire(namespace)
        cleanup.callback(wire.close)
        whole = Fabric(switches, wire, kinds, family)
        cleanup.callback(whole.trunks.close)
        yield whole


def joined(cleanup: ExitStack, wire: str, name: HostName) -> Host:
    """One more host on the wires, with nothing on it."""
    switch = cleanup.enter_context(private_switch(KernelSwitch if DATAPATH == "system" else Switch))
    far = ("peer", "name", "eth1", "mtu", str(WIRE_MTU), "netns", switch.namespace)
    _ip(wire, "link", "add", f"h-{name}", "mtu", str(WIRE_MTU), "type", "veth", *far)
    _ip(wire, "link", "set", f"h-{name}", "master", "u", "up")
    switch.call("ip", "link", "set", "eth1", "up")
    far = ("peer", "name", TRUNK, "mtu", str(TRUNK_MTU), "netns", switch.namespace)
    _ip(wire, "link", "add", f"t-{name}", "mtu", str(TRUNK_MTU), "type", "veth", *far)
    _ip(wire, "link", "set", f"t-{name}", "master", TRUNKS, "up")
    switch.call("ip", "link", "set", TRUNK, "up")
    return Host(switch, cleanup)


def _counted(receivers: Sequence[Container], frame: bytes) -> dict[int, int]:
    counts = {number(it.endpoint): it.arrived.count(frame) for it in receivers}
    return {number: count for number, count in counts.items() if count}


def _ip(namespace: str, *arguments: str) -> None:
    subprocess.run(["ip", "-n", namespace, *arguments], check=True)


def _at_once(address: IpAddress) -> tuple[str, ...]:
    return ("nodad",) if address.version == 6 else ()


def _unwrapped(frame: bytes) -> Tunnelled | None:
    kind = int.from_bytes(frame[12:14])
    if kind == IPV4 and frame[23] == UDP:
        head, ends = 34, [str(IPv4Address(frame[at : at + 4])) for at in (26, 30)]
    elif kind == IPV6 and frame[20] == UDP:
        head, ends = 54, [str(IPv6Address(frame[at : at + 16])) for at in (22, 38)]
    else:
        return None
    port, header, inner = int.from_bytes(frame[head + 2 : head + 4]), frame[head + 8 : head + 16], frame[head + 16 :]
    wrapping = next((it for it in Encapsulation if it.usual_port == port), None)
    if wrapping is None or header[:4] != BEGINNINGS[wrapping]:
        return None
    return Tunnelled(ends[0], ends[1], int.from_bytes(header[4:7]), inner, wrapping)
