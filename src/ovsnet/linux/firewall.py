"""Applier: what may pass the gateways that are on this host: a table of our own in nftables, and forwarding.

    container ── ovgw… ─► forward: to what is elsewhere where the network leads out, and to networks of its domain
                          input, output: to and from this host itself where the network is exposed
    to ovgw…           ─► forward: answers; where the network is routed whoever asks

What is not named is closed, so that a gateway that is there before its rules, or after them, leads nowhere. The table
is made anew in one transaction. Other tables may drop what ours lets pass: see passes.py for Docker's.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import structlog

from ovsnet.linux import interface, passes, portrules, spacerules, spaces
from ovsnet.linux.conntrack import NOT_FOLLOWED, TOO_MANY, Begun, forget_udp
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.nft import chain, nft, nothing_there, says_nothing_there
from ovsnet.model.delta import Delta
from ovsnet.model.egress import FIREWALL, GATEWAY_DEVICES, Detour, FirewallPlan, Lead, Passage
from ovsnet.model.errors import ApplyError, OvsnetError
from ovsnet.model.ids import IpAddress, IpNetwork
from ovsnet.model.network import Egress
from ovsnet.model.publication import Transport
from ovsnet.model.spaces import COMMON, number_in

OURS = f'"{GATEWAY_DEVICES}*"'
FOREIGN = FirewallPlan((), changed="by somebody else, or before this agent started")
"""What is there is not what this process wrote: it differs from everything wanted."""
DOCKERS = ('"docker0"', '"docker_gwbridge"', '"br-*"')
"""Linux bridges of these names are Docker's: who is behind them is kept apart from us, as from one another."""
REFUSED = "reject with icmpx admin-prohibited"
CONVERSING = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
"""How this host finds its neighbours."""
TROUBLE = (
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
)
"""What this host says of packets that it cannot forward."""
LED_UDP = re.compile(r"udp dport (\d+) .*dnat")
"""In our rules, as nft lists them."""
LOCALNET = "ipv4/conf/{}/route_localnet"
FORWARDING = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}

log = structlog.get_logger("firewall")


def table_of(instance: str) -> str:
    """The name of our table, in the family inet; what is in it is ours."""
    return f"{instance}-egress"


def ruleset(table: str, plan: FirewallPlan) -> str:
    """The commands that make the table what it must be, whatever it was."""
    lines = [f"table inet {table} {{ }}", f"delete table inet {table}", f"table inet {table} {{"]
    apart = spacerules.spaces_of(plan.passages)
    lines += spacerules.chains(apart)
    lines += chain("forward", "filter hook forward priority filter", _forward(plan))
    lines += chain("arriving", "filter hook input priority filter", _input(plan))
    lines += chain("leaving", "filter hook output priority filter", _output(plan))
    if plan.detours:
        lines += chain("imported", "nat hook prerouting priority dstnat", portrules.imported(plan.detours, apart))
    if plan.leads:
        lines += chain("loopback", "filter hook prerouting priority raw", _loopback())
        lines += chain("published", "nat hook prerouting priority dstnat", portrules.from_outside(plan.leads, apart))
        lines += chain("own", "nat hook output priority -100", portrules.from_here(plan.leads, apart))
    lines += chain("lend", "nat hook postrouting priority srcnat", _lend(plan))
    return "\n".join((*lines, "}")) + "\n"


def _forward(plan: FirewallPlan) -> Iterator[str]:
    natted = _devices(it for it in plan.passages if it.egress is Egress.NAT)
    routed = _devices(it for it in plan.passages if it.egress is Egress.ROUTED)
    leading = _devices(it for it in plan.passages if it.leads_out)
    led = [it for it in plan.passages if it.device in {lead.device for lead in plan.leads}]
    yield f"iifname != {OURS} oifname != {OURS} accept"
    yield from spacerules.answers(spacerules.spaces_of(plan.passages))
    yield from _domains(plan)
    if natted:
        # What the kernel can tell no connection by would leave with the container's own address.
        yield f"iifname {natted} ct state invalid counter drop"
    if leading:
        # What was published on this host, a port of ours or of one of Docker's containers, is so for ours, too.
        yield f"iifname {leading} ct status dnat accept"
    if led:
        yield f"oifname {_devices(led)} ct status dnat accept"
    answering = _devices(it for it in led if not it.leads_out)
    if answering:
        yield f"iifname {answering} ct status dnat ct direction reply accept"
    yield f"iifname {OURS} oifname {OURS} counter {REFUSED}"
    if leading:
        yield f"oifname {leading} ct state established,related accept"
    for bridge in DOCKERS:
        yield f'iifname {OURS} oifname {bridge} meta oifkind "bridge" counter {REFUSED}'
        yield f'oifname {OURS} iifname {bridge} meta iifkind "bridge" counter drop'
    if leading:
        yield f"iifname {leading} accept"
    if routed:
        # Not by connections: what is answered here may have been asked by way of another host.
        yield f"oifname {routed} accept"
    yield f"iifname {OURS} counter {REFUSED}"
    yield "counter drop"


def _domains(plan: FirewallPlan) -> Iterator[str]:
    """From each network of a domain to the others of it, and not back into the same one: within it the switch decides.

    Before anything is asked about connections: of one with a container on another host only half passes here.
    """
    members: dict[str, list[Passage]] = defaultdict(list)
    for it in plan.passages:
        if it.domain:
            members[it.domain].append(it)
    for those in members.values():
        if len(those) > 1:
            devices = _devices(those)
            same = ", ".join(f'"{it.device}" . "{it.device}"' for it in those)
            yield f"iifname {devices} oifname {devices} iifname . oifname != {{ {same} }} accept"


def _input(plan: FirewallPlan) -> Iterator[str]:
    yield f"iifname != {OURS} accept"
    yield from spacerules.answers(spacerules.spaces_of(plan.passages))
    if plan.leads:
        # Answers to this host itself, which asked for a published port.
        yield f"iifname {OURS} ct status dnat ct direction reply accept"
    yield from portrules.here(plan.detours)
    yield from _exposed("iifname", plan)
    yield CONVERSING
    yield f"counter {REFUSED}"


def _output(plan: FirewallPlan) -> Iterator[str]:
    yield from portrules.not_by_loopback6(plan.leads)
    yield f"oifname != {OURS} accept"
    yield from portrules.from_here_back(plan.detours)
    yield from _exposed("oifname", plan)
    yield CONVERSING
    yield from TROUBLE
    yield f"counter {REFUSED}"


def _loopback() -> Iterator[str]:
    """What this host calls itself is no address of it for containers, though answers to it come by the gateway."""
    yield f"iifname {OURS} ip daddr {portrules.LOOPBACK4} counter drop"


def _exposed(which: str, plan: FirewallPlan) -> Iterator[str]:
    exposed = _devices(it for it in plan.passages if it.exposed)
    if exposed:
        yield f"{which} {exposed} accept"


def _lend(plan: FirewallPlan) -> Iterator[str]:
    """Outside they are seen by an address of this host."""
    yield from portrules.on_order(plan.leads)
    if plan.leads or plan.detours:
        yield from portrules.borrowed([it for it in plan.passages if it.leads_out])
    for passage in (it for it in plan.passages if it.egress is Egress.NAT):
        for subnet in passage.subnets:
            field = "ip" if subnet.version == 4 else "ip6"
            yield f"{spacerules.asked_in(passage)}{field} saddr {subnet} oifname != {OURS} counter masquerade"


def _devices(of: Iterable[Passage]) -> str:
    names = [f'"{it.device}"' for it in of]
    return f"{{ {', '.join(names)} }}" if names else ""


class FirewallApplier:
    """Compared in nft's own words: as it lists the table now, and as it did right after it was written."""

    def __init__(self, instance: str, ports: HostPorts | None = None) -> None:
        self._ports = ports or HostPorts()
        self._table = table_of(instance)
        self._have: dict[str, FirewallPlan] = {}
        self._written: tuple[FirewallPlan, str] | None = None
        self._looked = False

    def have(self) -> Mapping[str, FirewallPlan]:
        """What was written, as long as nothing of it was changed."""
        return self._have

    async def resync(self) -> None:
        """See whether it is still so. Most hosts have no gateway, and those need no nft either."""
        try:
            if self._written is not None:
                self._keep_ports(self._written[0])
                self._have = {FIREWALL: self._written[0] if await self._unchanged(*self._written) else FOREIGN}
            elif not self._looked:
                self._have = {FIREWALL: FOREIGN} if await spaces.some_there() or await self._listed() else {}
            self._looked = True
        except (OvsnetError, OSError):
            # Who has containers on other networks need not know: whoever wants a gateway is told when it is made.
            self._have = {FIREWALL: FOREIGN} if self._written else {}

    async def _unchanged(self, plan: FirewallPlan, listed: str) -> bool:
        if await self._listed() != listed or not _forwards(plan) or not _answers(plan):
            return False
        return (not plan.forwards or await passes.there()) and await spaces.there(plan.passages)

    async def apply(self, delta: Delta[FirewallPlan]) -> Sequence[ApplyError]:
        """All of it, or the reason why not."""
        try:
            for plan in (*delta.add.values(), *delta.change.values()):
                await self._put(plan)
            if delta.remove:
                await self._take_away()
        except ApplyError as error:
            self._forget()
            return [ApplyError(FIREWALL, error.reason)]
        except OvsnetError as error:
            self._forget()
            return [ApplyError(FIREWALL, str(error))]
        except OSError as error:
            self._forget()
            return [ApplyError(FIREWALL, f"this host cannot be made to route so: {error.strerror}")]
        return []

    def _forget(self) -> None:
        self._written, self._have = None, {FIREWALL: FOREIGN}

    async def _put(self, plan: FirewallPlan) -> None:
        known = self._written[0] if self._written else None
        listed = "" if known else await self._listed()
        await nft("-f", "-", stdin=ruleset(self._table, plan))
        await spaces.put(plan.passages)
        await _begin_anew(known, plan, listed)
        if plan.forwards:
            await passes.open_up()
        else:
            await passes.close()
        for version in sorted(plan.forwards):
            _forward_from_now_on(version)
        self._keep_ports(plan)
        for it in _answering(plan):
            # The answers to 127.0.0.1; what else is for it is dropped before.
            interface.set_setting(LOCALNET.format(it), "1")
        self._written = (plan, await self._listed())
        self._have = {FIREWALL: plan}

    def _keep_ports(self, plan: FirewallPlan) -> None:
        self._ports.keep([it.publication for it in plan.leads])

    async def _take_away(self) -> None:
        self._ports.keep(())
        await passes.close()
        known = self._written[0] if self._written else None
        listed = "" if known else await self._listed()
        with nothing_there():
            await nft("delete", "table", "inet", self._table)
        await spaces.put(())
        await _begin_anew(known, FirewallPlan(()), listed)
        self._written, self._have = None, {}

    async def _listed(self) -> str:
        """Without the counters; "" when it is gone."""
        try:
            return await nft("--stateless", "list", "table", "inet", self._table)
        except ApplyError as error:
            if says_nothing_there(error):
                return ""
            raise


async def _begin_anew(known: FirewallPlan | None, plan: FirewallPlan, listed: str) -> None:
    """Where a port leads now is so for who has been sending to it, too. `known` is what was written before; where that
    is not known, the rules as they were `listed` tell something of it.
    """
    changed = _changed(known, plan, listed)
    if known is not None and not changed:
        return
    subnets = [it for one in (known, plan) if one is not None for it in _subnets(one)]
    apart = spacerules.spaces_of(plan.passages)
    leads = {_way(it, apart) for _, it in _udp_ports(plan)}

    def doomed(it: Begun) -> bool:
        if (it.answers, it.port, it.by, number_in(it.mark)) in leads:
            return False
        led = it.answers != it.to and any(it.answers in subnet for subnet in subnets)
        return led or it.port in changed

    try:
        await forget_udp(doomed)
    except OSError as error:
        reason = f"the connections that UDP ports had before cannot be ended: {error.strerror or error}"
        if error.errno in TOO_MANY:  # the next time would be no better, and ports shall lead where they lead now
            log.warning("who has been sending by UDP is led as before", reason=reason)
        elif error.errno not in NOT_FOLLOWED:
            raise ApplyError(FIREWALL, reason) from error


def _changed(known: FirewallPlan | None, plan: FirewallPlan, listed: str) -> frozenset[int]:
    """UDP ports of this host that lead elsewhere from now on, as far as it is known where they led."""
    now = _udp_ports(plan)
    if known is not None:
        return frozenset(port for port, _ in now ^ _udp_ports(known))
    return frozenset((*(port for port, _ in now), *map(int, LED_UDP.findall(listed))))


def _udp_ports(plan: FirewallPlan) -> frozenset[tuple[int, Lead | Detour]]:
    """What leads somewhere for UDP, by the port that is asked for."""
    leads = {(it.publication.host_port, it) for it in plan.leads if it.publication.transport is Transport.UDP}
    detours = {(it.service.port, it) for it in plan.detours if it.service.transport is Transport.UDP}
    return frozenset[tuple[int, Lead | Detour]]().union(leads, detours)


def _way(it: Lead | Detour, apart: Mapping[str, int]) -> tuple[IpAddress, int, int, int]:
    """Who answers, the port he is asked by, the one he has, and the number of his address space."""
    if isinstance(it, Detour):
        return it.service.target, it.service.port, it.service.target_port, COMMON
    return it.to, it.publication.host_port, it.publication.port, apart.get(it.device, COMMON)


def _subnets(plan: FirewallPlan) -> Iterable[IpNetwork]:
    return (subnet for it in plan.passages if it.leads_out for subnet in it.subnets)


def _answering(plan: FirewallPlan) -> Sequence[str]:
    return sorted({it.device for it in plan.leads})


def _answers(plan: FirewallPlan) -> bool:
    return all(interface.setting(LOCALNET.format(it)) in ("1", "") for it in _answering(plan))


def _forwards(plan: FirewallPlan) -> bool:
    return all(interface.setting(FORWARDING[it]) == "1" for it in plan.forwards)


def _forward_from_now_on(version: int) -> None:
    """The host stays a router when the last network has gone: who else needs that by then, nobody could tell."""
    if interface.setting(FORWARDING[version]) == "1":
        return
    if version == 6:
        interface.heed_routers_as_a_router()
    interface.set_setting(FORWARDING[version], "1")
    log.warning("this host forwards packets now, as a network leads out by it", ip_version=version)
