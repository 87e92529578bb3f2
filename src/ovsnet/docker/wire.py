"""The engine's messages as values, and what they ask of control. Pure.

Reading is tolerant where engines differ (unknown fields, null for lists and maps, "" for what is not there)
and strict in the type of everything we use. Nothing is ever guessed.
"""

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Any, TypeVar

import msgspec
from msgspec import field

from ovsnet.control.publishing import PublishRequest
from ovsnet.control.requests import AddressRequest, EndpointRequest, NetworkRequest, PoolRequest
from ovsnet.docker import fields
from ovsnet.model.addressing import AllocationKind, space_of
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import IpAddress, PoolId, parse_mac
from ovsnet.model.network import parse_ipam_options
from ovsnet.model.publication import PortWish, Transport

GENERIC = "com.docker.network.generic"
INTERNAL = "com.docker.network.internal"
PORTMAP = "com.docker.network.portmap"
IFNAME = "com.docker.network.endpoint.ifname"
ADDRESS_TYPE = "RequestAddressType"
GATEWAY_TYPE = "com.docker.network.gateway"
ENDPOINT_NAME = "com.docker.network.endpoint.name"

TRANSPORTS = {6: Transport.TCP, 17: Transport.UDP, 132: Transport.SCTP}
"""By their IP protocol numbers."""
EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""What the null IPAM driver gives as a network's pool: there are no addresses."""

M = TypeVar("M", bound="Message")
N = TypeVar("N", IPv4Network, IPv6Network)
I = TypeVar("I", IPv4Interface, IPv6Interface)  # noqa: E741


class Message(msgspec.Struct, frozen=True):
    """What the engine sends."""


def decode(kind: type[M], body: bytes) -> M:
    """The body as a message of this kind; BadRequest names the field that is missing or of the wrong type.

    An empty body is an error and no empty message: it is what the engine repeats a call with after a
    connection that broke, and what the call was about is lost.
    """
    if not body:
        raise BadRequest(
            "the request has no body, as after a connection that broke in the middle of a call; "
            "nothing was done, run the command again"
        )
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request is not understood: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequest("the request is not understood: it is nested too deeply") from error


# ------------------------------------------------------------------ network driver


class IpamData(Message, frozen=True):
    """One subnet of a network. Its aux addresses are the IPAM driver's business and are not read here."""

    pool: str | None = field(name="Pool", default=None)
    gateway: str | None = field(name="Gateway", default=None)
    space: str | None = field(name="AddressSpace", default=None)


class CreateNetwork(Message, frozen=True):
    """A network is made. Its name and labels are never sent."""

    network_id: str = field(name="NetworkID")
    options: dict[str, Any] | None = field(name="Options", default=None)
    ipv4: list[IpamData] | None = field(name="IPv4Data", default=None)
    ipv6: list[IpamData] | None = field(name="IPv6Data", default=None)

    def request(self) -> NetworkRequest:
        """What is asked of control; the user's options are those in `generic`."""
        options = self.options or {}
        ipv4, gateway4 = _family(self.ipv4, IPv4Network, IPv4Interface, "IPv4Data")
        ipv6, gateway6 = _family(self.ipv6, IPv6Network, IPv6Interface, "IPv6Data")
        return NetworkRequest(
            id=fields.network_id(self.network_id),
            options=fields.texts(options.get(GENERIC), f"Options.{GENERIC}"),
            internal=fields.flag(options, INTERNAL),
            ipv4=ipv4,
            gateway4=gateway4.ip if gateway4 else None,
            ipv6=ipv6,
            gateway6=gateway6.ip if gateway6 else None,
            space4=_space(self.ipv4, "IPv4Data"),
            space6=_space(self.ipv6, "IPv6Data"),
        )


def _space(subnets: list[IpamData] | None, name: str) -> str:
    """The address space of a family's subnet, "" when the network does not use it."""
    return fields.word(subnets[0].space or "", f"{name}.AddressSpace") if subnets else ""


def _family(
    subnets: list[IpamData] | None, network: type[N], interface: type[I], name: str
) -> tuple[N | None, I | None]:
    """Subnet and gateway of one family, twice None when the network does not use it."""
    if not subnets:
        return None, None
    if len(subnets) > 1:
        given = ", ".join(str(it.pool) for it in subnets)
        raise BadRequest(f"a network has one subnet of each family here, got {given}; create a network for each subnet")
    subnet = fields.interface(subnets[0].pool, network, f"{name}.Pool")
    if subnet is None or subnet in EVERYWHERE:
        return None, None
    return subnet, fields.interface(subnets[0].gateway, interface, f"{name}.Gateway")


class NetworkNamed(Message, frozen=True):
    """DeleteNetwork and FreeNetwork."""

    network_id: str = field(name="NetworkID")


class AllocateNetwork(Message, frozen=True):
    """A swarm manager asks for what concerns all nodes."""

    network_id: str = field(name="NetworkID")
    options: dict[str, Any] | None = field(name="Options", default=None)


class Interface(Message, frozen=True):
    """What the engine has already decided of an endpoint's interface."""

    address: str | None = field(name="Address", default=None)
    address_ipv6: str | None = field(name="AddressIPv6", default=None)
    mac: str | None = field(name="MacAddress", default=None)


class CreateEndpoint(Message, frozen=True):
    """A container is about to get an interface. Which container is not said."""

    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")
    interface: Interface | None = field(name="Interface", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)

    def request(self) -> EndpointRequest:
        """What is asked of control: of the options only the user's, without what the engine adds to them."""
        given = self.interface or Interface()
        return EndpointRequest(
            id=fields.endpoint_id(self.endpoint_id),
            network_id=fields.network_id(self.network_id),
            ipv4=fields.interface(given.address, IPv4Interface, "Interface.Address"),
            ipv6=fields.interface(given.address_ipv6, IPv6Interface, "Interface.AddressIPv6"),
            mac=parse_mac(given.mac) if given.mac else None,
            options=fields.texts(fields.users(self.options), "Options"),
        )

    @property
    def ifname(self) -> str:
        """The interface name the user asked for, "" when none."""
        return str((self.options or {}).get(IFNAME) or "")


class EndpointNamed(Message, frozen=True):
    """Leave, DeleteEndpoint, EndpointOperInfo and RevokeExternalConnectivity."""

    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")


class PortMap(Message, frozen=True):
    """One published port: of the host's from `first` to `last` one is to be chosen, any where they are 0."""

    transport: int = field(name="Proto")
    port: int = field(name="Port")
    host: str | None = field(name="HostIP", default=None)
    first: int | None = field(name="HostPort", default=None)
    last: int | None = field(name="HostPortEnd", default=None)

    def wish(self) -> PortWish:
        """Which port shall lead where; BadRequest for a protocol without ports."""
        if self.transport not in TRANSPORTS:
            raise BadRequest(f"field Options.{PORTMAP}: protocol {self.transport} cannot be published; use tcp or udp")
        first = self.first or 0
        return PortWish(
            transport=TRANSPORTS[self.transport],
            host=fields.address(self.host, f"Options.{PORTMAP}.HostIP"),
            first=first,
            last=max(first, self.last or 0) if first else 0,
            port=self.port,
        )


class Program(Message, frozen=True):
    """ProgramExternalConnectivity: the endpoint is the container's way out."""

    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")
    options: dict[str, Any] | None = field(name="Options", default=None)

    def request(self) -> PublishRequest:
        """What is asked of control."""
        given = (self.options or {}).get(PORTMAP) or []
        try:
            listed = msgspec.convert(given, list[PortMap])
        except msgspec.ValidationError as error:
            raise BadRequest(f"field Options.{PORTMAP} is not understood: {error}") from error
        return PublishRequest(
            fields.network_id(self.network_id), fields.endpoint_id(self.endpoint_id), tuple(it.wish() for it in listed)
        )


class Join(Message, frozen=True):
    """The interface is wanted now. The options are the container's, not the endpoint's."""

    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")
    sandbox: str = field(name="SandboxKey")
    options: dict[str, Any] | None = field(name="Options", default=None)

    @property
    def ports(self) -> str:
        """The host ports the container shall be reached at, for the log; in the engine's random order."""
        published = (self.options or {}).get(PORTMAP)
        ports = published if isinstance(published, list) else []
        return ", ".join(str(it.get("HostPort")) for it in ports if isinstance(it, dict))


# --------------------------------------------------------------------- IPAM driver


class RequestPool(Message, frozen=True):
    """A subnet is wanted, a given one or any."""

    space: str = field(name="AddressSpace")
    pool: str | None = field(name="Pool", default=None)
    sub_pool: str | None = field(name="SubPool", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)
    v6: bool | None = field(name="V6", default=None)

    def request(self) -> PoolRequest:
        """What is asked of control; BadRequest for an `--ipam-opt` that is not known."""
        name = parse_ipam_options(fields.texts(fields.users(self.options), "Options"))
        subnet = fields.network(self.pool, "Pool")
        sub_range = fields.network(self.sub_pool, "SubPool")
        if subnet is None and sub_range is not None:
            raise BadRequest(f"SubPool {sub_range} (--ip-range) needs the Pool (--subnet) it is a part of")
        space = space_of(fields.word(self.space, "AddressSpace"), name)
        return PoolRequest(space=space, subnet=subnet, sub_range=sub_range, v6=bool(self.v6))


class ReleasePool(Message, frozen=True):
    """A pool is not needed any more."""

    pool_id: str = field(name="PoolID")


class RequestAddress(Message, frozen=True):
    """An address is wanted, a given one or any, for an endpoint, a gateway, or to be kept out of use."""

    pool_id: str = field(name="PoolID")
    address: str | None = field(name="Address", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)

    def request(self) -> AddressRequest:
        """What is asked of control. An aux address cannot be told from an endpoint's here."""
        options = self.options or {}
        gateway = options.get(ADDRESS_TYPE) == GATEWAY_TYPE
        return AddressRequest(
            pool_id=PoolId(self.pool_id),
            address=fields.address(self.address, "Address"),
            kind=AllocationKind.GATEWAY if gateway else AllocationKind.ENDPOINT,
            holder=fields.word(str(options.get(ENDPOINT_NAME) or ""), f"Options.{ENDPOINT_NAME}"),
        )


class ReleaseAddress(Message, frozen=True):
    """An address is not needed any more."""

    pool_id: str = field(name="PoolID")
    address: str = field(name="Address")

    def parsed(self) -> IpAddress:
        """The address; BadRequest when it is none."""
        address = fields.address(self.address, "Address")
        if address is None:
            raise BadRequest("field Address is empty; name the address to release")
        return address


# ------------------------------------------------------------------------- for the log


class Mentioned(Message, frozen=True):
    """The ids any message may carry."""

    network: str | None = field(name="NetworkID", default=None)
    endpoint: str | None = field(name="EndpointID", default=None)
    pool: str | None = field(name="PoolID", default=None)
    address: str | None = field(name="Address", default=None)


def mentioned(body: bytes) -> Mentioned:
    """The ids in a body; none when it cannot be read, which is told elsewhere."""
    try:
        return decode(Mentioned, body)
    except BadRequest:
        return Mentioned()
