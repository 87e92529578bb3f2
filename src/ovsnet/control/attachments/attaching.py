"""`ovsnet attach` and `detach`: what is asked for becomes wanted, and then is waited for.

    words ─► target (engine, kernel) ─► addresses (our pools) ─► decision, commit ─► in force here, or taken back

An attachment on a network is also an endpoint of it, of the same id: flows, names and what other hosts are told are
those of every endpoint.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Protocol

import structlog

from ovsnet.control.attachments import deciding, devices
from ovsnet.control.attachments.targets import Found, Namespaces, Targets
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import UNPLUG_PATIENCE, Host
from ovsnet.control.kernel import Kernel
from ovsnet.control.requests import AddressRequest
from ovsnet.model.attaching import AskedAddress, Wanted, parse_target, parse_wish
from ovsnet.model.attachment import Attachment, Target, TargetKind
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.host import Medium, SwitchFacts
from ovsnet.model.ids import EndpointId, IpAddress, IpInterface, NetworkId, PoolId
from ovsnet.model.network import Network, find_network
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.model.wishes import Wish
from ovsnet.plan import names
from ovsnet.store.interface import Change, Drop, Put

ID_BYTES = 32
"""An id looks like one of the engine's endpoints: 64 hex digits."""

log = structlog.get_logger("attach")


class Pools(Protocol):
    """Where the addresses on networks come from."""

    async def request_address(self, request: AddressRequest) -> IpInterface:
        """An address: the one asked for, or the next free one."""

    async def release_address(self, pool_id: PoolId, address: IpAddress) -> None:
        """Let it rest."""


async def _nothing_borrowed(_: Collection[EndpointId]) -> None:
    """Where no DHCP server is asked for addresses."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What this host has and is called. `bridge` is that of our networks; `deadline` in seconds, for one attachment;
    `mtu_of` a link of the host, None without one. `give_back` has these interfaces' addresses given back to DHCP
    servers, while there still is a way to them.
    """

    bridge: str
    deadline: float
    switch: Callable[[], SwitchFacts]
    mtu_of: Callable[[str], int | None]
    clock: Callable[[], float]
    new_prefix: Callable[[], str]
    names_at: IPv4Address | None = None
    """Where containers ask for names; None where they cannot."""
    random: Callable[[int], str] = secrets.token_hex
    give_back: Callable[[Collection[EndpointId]], Awaitable[None]] = _nothing_borrowed
    find_nic: devices.FindNic = devices.no_nic
    kernel: Kernel = field(default_factory=Kernel)


class Attachments:
    """Attach and detach. Never called by a plugin handler: the engine is asked, which may wait for us there."""

    def __init__(
        self,
        committer: Committer[State],
        host: Host,
        pools: Pools,
        targets: Targets,
        namespaces: Namespaces,
        here: Surroundings,
    ) -> None:
        self._committer = committer
        self._host = host
        self._pools = pools
        self._targets = targets
        self._namespaces = namespaces
        self._here = here

    async def attach(self, wish: Wish, *, wait: bool = True, label: str = "") -> Attachment:
        """Want it, and wait until it is up where its target runs. When it cannot be, nothing of it stays wanted."""
        wanted = deciding.on_uplink(parse_wish(wish), self._committer.snapshot())
        await self.check_kernel(wanted.shape, wanted.medium)
        found = await self._targets.find(wanted.kind, wanted.name)
        inside = await self._namespaces.names_inside(found.sandbox) if found.sandbox else frozenset()
        attachment_id = EndpointId(self._here.random(ID_BYTES))
        draft = deciding.draft(attachment_id, wanted, found, self._foreign(found, inside), self._here.clock())
        draft = replace(draft, label=label)
        if wanted.network:
            made = await self._on_network(draft, wanted, inside)
        elif wanted.medium is not Medium.PORT:
            made = await self._on_device(draft, wanted, inside)
        else:
            made = await self._on_bridge(draft, wanted, inside)
        log.info("attached", interface=made.title, to=deciding.network_of(made, self._committer.snapshot()))
        if wait and made.plugged:
            await self._settle_or_withdraw(made)
        return made

    async def detach(
        self, target: str, ifname: str = "", *, every: bool = False, if_exists: bool = False
    ) -> Sequence[Attachment]:
        """Take it away, or every one of the target; returns what was taken. NotFound without one, unless told so."""
        attached = await self._attached(target, if_exists=if_exists)
        chosen = attached if every else [it for it in attached if ifname in ("", it.ifname)]
        if not ifname and not every and len(chosen) > 1:
            raise Conflict(f"{target} has several attached interfaces: {_names(chosen)}; name one, or use --all")
        if not chosen and not if_exists:
            what = f"interface {ifname}" if ifname else "interface"
            raise NotFound(f"{target} has no attached {what}; it has: {_names(attached)}")
        for it in chosen:
            await self.drop(it, wait=True)
        return chosen

    async def one_of(self, target: str, ifname: str, *, towards: IpAddress | None = None) -> Attachment:
        """The attached interface of that name, or the only one, or the only one that has this address on its link;
        NotFound or Conflict, naming those there are.
        """
        attached = await self._attached(target, if_exists=False)
        chosen = [it for it in attached if ifname in ("", it.ifname)]
        if len(chosen) > 1:
            near = [it for it in chosen if towards and any(towards in own.network for own in it.addresses)]
            chosen = near if len(near) == 1 else chosen
        if len(chosen) > 1:
            raise Conflict(f"{target} has several attached interfaces: {_names(chosen)}; name one")
        if not chosen:
            what = f"interface {ifname}" if ifname else "interface"
            raise NotFound(f"{target} has no attached {what}; it has: {_names(attached)}")
        return chosen[0]

    async def drop(self, attachment: Attachment, *, wait: bool, forget: bool = False) -> None:
        """Want it no more, and give its addresses back. One that a label asked for is only put aside, until its
        container starts again, unless it is to be forgotten.
        """
        port = names.port_of_attachment(attachment, self._committer.snapshot())
        aside = bool(attachment.label) and not forget
        await self.part_from([attachment])
        await self._committer.commit(lambda state: (_removal(state, attachment.id, aside=aside), None))
        log.info("detached", interface=attachment.title)
        if wait and attachment.plugged and self._host.reachable():
            with suppress(OvsnetError):  # the reconciler goes on trying
                await self._host.settled(self._committer.snapshot().revision, (port,), UNPLUG_PATIENCE)
        if not aside:
            await self._release(attachment.network_id, attachment.addresses)

    async def check_kernel(self, shape: Shape, medium: Medium = Medium.PORT) -> None:
        """Conflict when this host's kernel cannot do that."""
        await self._here.kernel.check(shape, medium)

    async def part_from(self, attachments: Collection[Attachment]) -> None:
        """What is to be done before these are unplugged."""
        borrowers = [it.id for it in attachments if it.dhcp]
        if borrowers:
            await self._here.give_back(borrowers)

    # ------------------------------------------------------------ parts

    def _foreign(self, found: Found, inside: frozenset[str]) -> frozenset[str]:
        """What is inside and was not attached: that is refused with another word."""
        ours = {it.ifname for it in deciding.of_target(self._committer.snapshot(), found.target)}
        return inside - ours

    async def _on_bridge(self, draft: Attachment, wanted: Wanted, inside: frozenset[str]) -> Attachment:
        mtu = self._here.mtu_of(draft.bridge)
        made = deciding.on_bridge(draft, wanted, self._here.switch(), ours=self._here.bridge, mtu=mtu)
        prefix = self._here.new_prefix()
        return await self._committer.commit(lambda state: deciding.admit(state, made, None, inside, prefix))

    async def _on_device(self, draft: Attachment, wanted: Wanted, inside: frozenset[str]) -> Attachment:
        made = devices.on_device(draft, wanted, self._committer.snapshot(), self._here.find_nic)
        prefix = self._here.new_prefix()

        def decide(state: State) -> tuple[Sequence[Change], Attachment]:
            devices.check_others(made, state)  # somebody may have got it meanwhile
            return deciding.admit(state, made, None, inside, prefix)

        return await self._committer.commit(decide)

    async def _on_network(self, draft: Attachment, wanted: Wanted, inside: frozenset[str]) -> Attachment:
        state = self._committer.snapshot()
        network = find_network(state.networks, wanted.network)
        pools = _pools_of(state, network)
        asked = _asked_by_family(network, wanted)
        made, endpoint = deciding.on_network(draft, network, wanted, ())
        # Before any address is taken: what is wrong here needs none.
        await self._committer.commit(lambda now: ((), deciding.admit(now, made, endpoint, inside, "02:00:00")))
        addresses: list[IpInterface] = []
        prefix = self._here.new_prefix()
        try:
            for family, pool in pools.items():
                request = AddressRequest(pool, asked.get(family), holder=draft.target.label)
                addresses.append(await self._pools.request_address(request))
            made, endpoint = deciding.on_network(draft, network, wanted, addresses)
            names_at = self._here.names_at
            return await self._committer.commit(
                lambda now: deciding.admit(now, made, endpoint, inside, prefix, names_at)
            )
        except OvsnetError:
            await self._release(network.id, addresses)
            raise

    async def _settle_or_withdraw(self, made: Attachment) -> None:
        state = self._committer.snapshot()
        port = names.port_of_attachment(made, state)
        resources = [port, names.inside(port), *([made.bridge] if made.makes_bridge else [])]
        try:
            await self._host.settled(state.revision, resources, self._here.deadline)
        except OvsnetError:
            await self.drop(made, wait=False, forget=True)
            raise

    async def _release(self, network_id: NetworkId, addresses: Sequence[IpInterface]) -> None:
        state = self._committer.snapshot()
        network = state.networks.get(network_id)
        pools = _pools_of(state, network) if network is not None else {}
        for address in addresses:
            if address.version in pools:
                with suppress(OvsnetError):  # what nobody has is collected (orphans.py)
                    await self._pools.release_address(pools[address.version], address.ip)

    async def _attached(self, target: str, *, if_exists: bool) -> Sequence[Attachment]:
        """What is attached to whoever is called so now, or was when the engine last knew him."""
        kind, name = parse_target(target)
        try:
            return deciding.of_target(self._committer.snapshot(), (await self._targets.find(kind, name)).target)
        except (NotFound, Unavailable) as error:
            state = self._committer.snapshot()
            known = {it.target.id: it.target for it in state.attachments.values() if it.target.kind is kind}
            meant = [it for it in known.values() if _is_called(it, name, self._namespaces)]
            if len(meant) == 1:
                return deciding.of_target(state, meant[0])
            if if_exists and isinstance(error, NotFound):
                return []
            raise


def _is_called(target: Target, name: str, namespaces: Namespaces) -> bool:
    if target.kind is TargetKind.CONTAINER:
        return name in (target.id, target.name)
    return target.id == (name if target.kind is TargetKind.PID else namespaces.path_of(name))


def _removal(state: State, attachment_id: EndpointId, *, aside: bool) -> Sequence[Change]:
    attachment, endpoint = state.attachments.get(attachment_id), state.endpoints.get(attachment_id)
    if attachment is None:
        return ()
    if aside:
        put_aside = replace(attachment, detached=True)
        return (Put(put_aside), *([Put(deciding.placed(endpoint, put_aside))] if endpoint else ()))
    return (Drop(attachment), *([Drop(endpoint)] if endpoint else ()))


def _pools_of(state: State, network: Network) -> dict[int, PoolId]:
    """Our pools that its addresses come from, by family; BadRequest where somebody else gives them."""
    pools: dict[int, PoolId] = {}
    for subnet in (network.ipv4, network.ipv6):
        if subnet is None:
            continue
        pool = next((it for it in state.pools.values() if it.serves(network) and it.subnet == subnet), None)
        if pool is None:
            raise BadRequest(
                f"network {network.title} has its addresses from another IPAM driver, which only the engine can ask; "
                "use 'docker network connect', or make the network with --ipam-driver ovsnet"
            )
        pools[subnet.version] = pool.id
    return pools


def _asked_by_family(network: Network, wanted: Wanted) -> dict[int, IpAddress]:
    asked: dict[int, IpAddress] = {}
    for it in wanted.addresses:
        subnet = network.ipv4 if it.ip.version == 4 else network.ipv6
        _check_fits(it, network)
        if subnet is not None and asked.setdefault(subnet.version, it.ip) != it.ip:
            raise BadRequest(
                f"--ip {it.ip}: on network {network.title} an interface has one address of a family; attach another "
                "interface"
            )
    return asked


def _check_fits(asked: AskedAddress, network: Network) -> None:
    subnet = network.ipv4 if asked.ip.version == 4 else network.ipv6
    if subnet is None:
        raise BadRequest(f"--ip {asked.ip}: network {network.title} has no IPv{asked.ip.version} subnet")
    if asked.prefix not in (None, subnet.prefixlen):
        raise BadRequest(f"--ip {asked.ip}/{asked.prefix}: network {network.title} has the subnet {subnet}")


def _names(attachments: Sequence[Attachment]) -> str:
    return ", ".join(it.ifname for it in attachments) or "none"
