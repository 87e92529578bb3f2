"""`ovsnet set`, `route` and `rule`: what is attached is changed while it runs; what the host refuses is put back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from ovsnet.control.attachments import deciding
from ovsnet.control.attachments.attaching import Attachments
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host
from ovsnet.model.attaching import Wanted, parse_wish
from ovsnet.model.attachment import DEFAULT_ROUTES, Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.host import Medium, Route
from ovsnet.model.ids import UNTAGGED, EndpointId, IpAddress
from ovsnet.model.routing import parse_default, parse_route, parse_rule, rule_words
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.model.wishes import Wish
from ovsnet.plan import names
from ovsnet.store.interface import Change, Put

NONE = "none"
"""As a VLAN: in none."""
OFF = "off"
"""As --dhcp: not any more."""
Alter = Callable[[State, Attachment], Attachment]

log = structlog.get_logger("attach")


class Changing:
    """Changes one attachment at a time."""

    def __init__(self, committer: Committer[State], host: Host, attachments: Attachments, deadline: float) -> None:
        """`deadline` in seconds, until a change is in force."""
        self._committer = committer
        self._host = host
        self._attachments = attachments
        self._deadline = deadline

    async def change(self, wish: Wish, *, slaac: bool | None = None) -> Attachment:
        """What is said in the wish replaces what was; the rest stays, and SLAAC where `slaac` is None.

        `wish.ifname` says which interface.
        """
        known = await self._attachments.one_of(wish.target, wish.ifname)
        untag = wish.vlan == NONE
        full = msgspec.structs.replace(
            wish,
            bridge=known.bridge,
            network=known.network_id,
            vlan="" if untag else wish.vlan,
            dhcp="" if wish.dhcp == OFF else wish.dhcp,
            **_device_words(known),
        )
        wanted = parse_wish(full)
        if not (untag or slaac is not None or _says_something(wish)):
            raise BadRequest("nothing is to be changed; say what, like --vlan 20")
        await self._attachments.check_kernel(wanted.shape)
        return await self._commit(known.id, lambda state, it: _changed(state, it, wanted, wish, slaac))

    async def add_route(self, target: str, ifname: str, text: str) -> Attachment:
        """One more route inside; Conflict when it is there. A default route takes the place of the one there is."""
        hop = parse_default(text)
        route = Route(DEFAULT_ROUTES[hop.version], hop) if hop else parse_route(text)

        def add(_: State, it: Attachment) -> Attachment:
            if hop is not None:
                return replace(it, gateways=(*_without(it.gateways, hop.version), hop))
            if any((known.destination, known.table) == (route.destination, route.table) for known in it.routes):
                raise Conflict(f"{it.title} has a route to {route.destination} already; 'ovsnet route del' it first")
            return replace(it, routes=(*it.routes, route))

        known = await self._attachments.one_of(target, ifname, towards=route.gateway)
        return await self._commit(known.id, add)

    async def drop_route(self, target: str, ifname: str, text: str) -> Attachment:
        """One route less; NotFound when there is none such."""
        hop = parse_default(text)
        route = Route(DEFAULT_ROUTES[hop.version], hop) if hop else parse_route(text)

        def drop(_: State, it: Attachment) -> Attachment:
            if hop in it.gateways:
                return replace(it, gateways=_without(it.gateways, route.destination.version))
            left = tuple(
                known
                for known in it.routes
                if (known.destination, known.table) != (route.destination, route.table)
                or route.gateway not in (None, known.gateway)
            )
            if left == it.routes:
                raise NotFound(f"{it.title} has no attached route to {route.destination}")
            return replace(it, routes=left)

        known = await self._attachments.one_of(target, ifname, towards=route.gateway)
        return await self._commit(known.id, drop)

    async def add_rule(self, target: str, ifname: str, text: str) -> Attachment:
        """One more routing rule inside; Conflict when it is there."""
        rule = parse_rule(text)
        sender = rule.source.network_address if rule.source else None

        def add(state: State, it: Attachment) -> Attachment:
            after = replace(it, rules=(*it.rules, rule))
            deciding.check_rules(state, after)
            return after

        known = await self._attachments.one_of(target, ifname, towards=sender)
        return await self._commit(known.id, add)

    async def drop_rule(self, target: str, ifname: str, text: str) -> Attachment:
        """One routing rule less; NotFound when there is none such."""
        rule = parse_rule(text)
        sender = rule.source.network_address if rule.source else None

        def drop(_: State, it: Attachment) -> Attachment:
            if rule not in it.rules:
                raise NotFound(f"{it.title} has no attached rule {rule_words(rule)!r}")
            return replace(it, rules=tuple(known for known in it.rules if known != rule))

        known = await self._attachments.one_of(target, ifname, towards=sender)
        return await self._commit(known.id, drop)

    async def _commit(self, attachment_id: EndpointId, alter: Alter) -> Attachment:
        before, after = await self._committer.commit(lambda state: _decide(state, attachment_id, alter))
        state = self._committer.snapshot()
        if not after.plugged or before == after:
            return after
        port = names.port_of_attachment(after, state)
        try:
            await self._host.settled(state.revision, (port, names.inside(port)), self._deadline)
        except OvsnetError:
            await self._committer.commit(lambda now: (_put_back(now, before, after), None))
            raise
        log.info("changed", interface=after.title)
        return after


def _decide(
    state: State, attachment_id: EndpointId, alter: Alter
) -> tuple[Sequence[Change], tuple[Attachment, Attachment]]:
    before = state.attachments.get(attachment_id)
    if before is None:
        raise NotFound("the interface was taken away meanwhile")
    after = alter(state, before)
    if after == before:
        return (), (before, after)
    return _puts(state, after), (before, after)


def _puts(state: State, after: Attachment) -> Sequence[Change]:
    endpoint = state.endpoints.get(after.id)
    return (Put(after), *([Put(_endpoint(endpoint, after))] if endpoint else ()))


def _endpoint(endpoint: Endpoint, after: Attachment) -> Endpoint:
    return replace(endpoint, vlan=None if after.vlan == UNTAGGED else after.vlan)


def _put_back(state: State, before: Attachment, after: Attachment) -> Sequence[Change]:
    return _puts(state, before) if state.attachments.get(after.id) == after else ()


def _without(gateways: Sequence[IpAddress], version: int) -> tuple[IpAddress, ...]:
    return tuple(it for it in gateways if it.version != version)


def _device_words(known: Attachment) -> dict[str, Any]:
    """The words of a wish for what it is, where that is no port."""
    if known.medium is Medium.PORT:
        return {}
    return {str(known.medium): known.nic or True}


def _says_something(wish: Wish) -> bool:
    tags = (wish.vlan, wish.trunk, wish.native, wish.qinq)
    return any((*tags, wish.mtu, wish.addresses, wish.dhcp, wish.rate, wish.loss, wish.delay))


def _changed(state: State, known: Attachment, wanted: Wanted, wish: Wish, slaac: bool | None) -> Attachment:  # noqa: FBT001
    after = known
    if wish.vlan or wish.trunk or wish.native or wish.qinq:
        after = replace(after, vlan=wanted.vlan, tagging=wanted.tagging, trunks=wanted.trunks)
    if wanted.mtu is not None:
        after = replace(after, mtu=wanted.mtu)
    if wanted.addresses:
        addresses = tuple(it.on(it.ip.max_prefixlen) for it in wanted.addresses)
        after = replace(after, addresses=addresses, gateways=wanted.gateways)
    if wish.dhcp:
        after = replace(after, dhcp=wanted.dhcp)
    if slaac is not None:
        after = replace(after, slaac=slaac)
    after = replace(after, shape=_shape(known.shape, wanted.shape, wish))
    deciding.check_change(state, known, after)
    return after


def _shape(known: Shape, wanted: Shape, wish: Wish) -> Shape:
    return Shape(
        rate=wanted.rate if wish.rate else known.rate,
        loss=wanted.loss if wish.loss else known.loss,
        delay=wanted.delay if wish.delay else known.delay,
        jitter=wanted.jitter if wish.delay else known.jitter,
    )
