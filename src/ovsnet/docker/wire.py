"""The engine's messages as values, in both directions. Pure.

Reading is tolerant where engines differ (unknown fields, null for lists and maps, "" for what is not there) and
strict in the type of everything we use: an error names the field, and nothing is ever guessed.
docs/docker-protocol.md says what each message is answered with and why.
"""

from collections.abc import Mapping
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, TypeVar

import msgspec
from msgspec import field

from ovsnet.control.requests import AddressRequest, EndpointRequest, Joined, NetworkRequest, PoolRequest
from ovsnet.model.addressing import AllocationKind, Pool
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import (
    EndpointId,
    IpAddress,
    IpInterface,
    IpNetwork,
    Mac,
    NetworkId,
    PoolId,
    parse_mac,
)
from ovsnet.model.network import ENGINE_PREFIX

GENERIC = "com.docker.network.generic"
INTERNAL = "com.docker.network.internal"
IFNAME = "com.docker.network.endpoint.ifname"
ADDRESS_TYPE = "RequestAddressType"
GATEWAY_TYPE = "com.docker.network.gateway"
ENDPOINT_NAME = "com.docker.network.endpoint.name"

MAX_ID = 128
EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""What the null IPAM driver gives as a network's pool: there are no addresses."""

M = TypeVar("M", bound="Message")
A = TypeVar("A", IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)


class Message(msgspec.Struct, frozen=True):
    """What the engine sends."""


def decode(kind: type[M], body: bytes) -> M:
    """The body as a message of this kind; BadRequest names the field that is missing or of the wrong type.

    An empty body is an error and no empty message: it is what the engine repeats a call with after a broken
    connection, and what the call was about is lost.
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


class _IpamData(Message):
    """One subnet of a network. Aux addresses are our IPAM driver's business and are not looked at here."""

    pool: str | None = field(name="Pool", default=None)
    gateway: str | None = field(name="Gateway", default=None)


class CreateNetwork(Message):
    network_id: str = field(name="NetworkID")
    options: dict[str, Any] | None = field(name="Options", default=None)
    ipv4: list[_IpamData] | None = field(name="IPv4Data", default=None)
    ipv6: list[_IpamData] | None = field(name="IPv6Data", default=None)

    def request(self) -> NetworkRequest:
        """What is asked of control. The user's options are in `generic`; name and labels are never sent."""
        options = self.options or {}
        subnet4, gateway4 = _family(self.ipv4, IPv4Network, IPv4Interface, "IPv4Data")
        subnet6, gateway6 = _family(self.ipv6, IPv6Network, IPv6Interface, "IPv6Data")
        return NetworkRequest(
            id=network_id(self.network_id),
            options=_texts(options.get(GENERIC), f"Options.{GENERIC}"),
            internal=_flag(options, INTERNAL),
            ipv4=subnet4,
            gateway4=gateway4.ip if gateway4 else None,
            ipv6=subnet6,
            gateway6=gateway6.ip if gateway6 else None,
        )


class NetworkNamed(Message):
    """DeleteNetwork and FreeNetwork."""

    network_id: str = field(name="NetworkID")


class AllocateNetwork(Message):
    network_id: str = field(name="NetworkID")
    options: dict[str, Any] | None = field(name="Options", default=None)


class _Interface(Message):
    address: str | None = field(name="Address", default=None)
    address_ipv6: str | None = field(name="AddressIPv6", default=None)
    mac: str | None = field(name="MacAddress", default=None)


class CreateEndpoint(Message):
    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")
    interface: _Interface | None = field(name="Interface", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)

    def request(self) -> EndpointRequest:
        """What is asked of control: of the options only the user's, without what the engine adds to them."""
        given = self.interface or _Interface()
        return EndpointRequest(
            id=endpoint_id(self.endpoint_id),
            network_id=network_id(self.network_id),
            ipv4=_parsed(given.address, IPv4Interface, "Interface.Address"),
            ipv6=_parsed(given.address_ipv6, IPv6Interface, "Interface.AddressIPv6"),
            mac=_mac(given.mac),
            options=_texts(_users(self.options), "Options"),
        )

    @property
    def ifname(self) -> str:
        """The interface name the user asked for, "" when none; no engine gives it to a remote driver's interface."""
        return str((self.options or {}).get(IFNAME) or "")


class EndpointNamed(Message):
    """Leave, DeleteEndpoint, EndpointOperInfo, Program- and RevokeExternalConnectivity."""

    network_id: str = field(name="NetworkID")
    endpoint_id: str = field(name="EndpointID")


class Join(EndpointNamed):
    """The options are the container's, not the endpoint's, and are not used."""

    sandbox: str = field(name="SandboxKey")


# --------------------------------------------------------------------- IPAM driver


class RequestPool(Message):
    space: str = field(name="AddressSpace")
    pool: str | None = field(name="Pool", default=None)
    sub_pool: str | None = field(name="SubPool", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)
    v6: bool | None = field(name="V6", default=None)

    def request(self) -> PoolRequest:
        """What is asked of control. There are no `--ipam-opt`s of ours, so one of the user's is refused by name."""
        unknown = sorted(_users(self.options))
        if unknown:
            raise BadRequest(
                f"IPAM option {unknown[0]!r} is not known; ovsnet has none, leave --ipam-opt out"
            )
        subnet = _network(self.pool, "Pool")
        sub_range = _network(self.sub_pool, "SubPool")
        if subnet is None and sub_range is not None:
            raise BadRequest(f"SubPool {sub_range} (--ip-range) needs a Pool (--subnet) it is a part of")
        return PoolRequest(space=self.space, subnet=subnet, sub_range=sub_range, v6=bool(self.v6))


class ReleasePool(Message):
    pool_id: str = field(name="PoolID")


class RequestAddress(Message):
    pool_id: str = field(name="PoolID")
    address: str | None = field(name="Address", default=None)
    options: dict[str, Any] | None = field(name="Options", default=None)

    def request(self) -> AddressRequest:
        """What is asked of control. An aux address cannot be told from an endpoint's here."""
        options = self.options or {}
        gateway = options.get(ADDRESS_TYPE) == GATEWAY_TYPE
        return AddressRequest(
            pool_id=PoolId(self.pool_id),
            address=_address(self.address, "Address"),
            kind=AllocationKind.GATEWAY if gateway else AllocationKind.ENDPOINT,
            holder=str(options.get(ENDPOINT_NAME) or ""),
        )


class ReleaseAddress(Message):
    pool_id: str = field(name="PoolID")
    address: str = field(name="Address")

    def parsed(self) -> IpAddress:
        """The address; BadRequest when it is none."""
        address = _address(self.address, "Address")
        if address is None:
            raise BadRequest("field Address is empty; name the address to release")
        return address


class Mentioned(Message):
    """The ids any message may carry, for the log."""

    network: str | None = field(name="NetworkID", default=None)
    endpoint: str | None = field(name="EndpointID", default=None)
    pool: str | None = field(name="PoolID", default=None)


# ------------------------------------------------------------------------- answers


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we send; as it stands the answer to everything that has none."""


NOTHING = Answer()


class Activated(Answer):
    implements: tuple[str, ...] = field(name="Implements")


class NetworkCapabilities(Answer):
    """An empty connectivity scope means: as the scope."""

    scope: str = field(name="Scope")
    connectivity_scope: str = field(name="ConnectivityScope")


class IpamCapabilities(Answer):
    requires_mac: bool = field(name="RequiresMACAddress")
    requires_replay: bool = field(name="RequiresRequestReplay")


class AddressSpaces(Answer):
    local: str = field(name="LocalDefaultAddressSpace")
    everywhere: str = field(name="GlobalDefaultAddressSpace")


class GatewayCheck(Answer):
    skip4: bool = field(name="SkipIPv4")
    skip6: bool = field(name="SkipIPv6")


class Allocated(Answer):
    options: Mapping[str, str] = field(name="Options")


class OperInfo(Answer):
    value: Mapping[str, str] = field(name="Value")


class _Given(Answer):
    mac: str = field(name="MacAddress", default="")


class EndpointCreated(Answer):
    interface: _Given = field(name="Interface")


class _InterfaceName(Answer):
    source: str = field(name="SrcName")
    prefix: str = field(name="DstPrefix")


class JoinedAnswer(Answer):
    name: _InterfaceName = field(name="InterfaceName")
    gateway: str = field(name="Gateway", default="")
    gateway6: str = field(name="GatewayIPv6", default="")
    no_gateway_bridge: bool = field(name="DisableGatewayService", default=False)


class PoolAnswer(Answer):
    pool_id: str = field(name="PoolID")
    pool: str = field(name="Pool")


class AddressAnswer(Answer):
    address: str = field(name="Address")


class Refusal(Answer):
    """The network driver's engine side reads `Err`, the IPAM driver's `Error`."""

    err: str = field(name="Err")
    error: str = field(name="Error")


def refusal(text: str) -> Refusal:
    """The one form every failure has."""
    return Refusal(text, text)


def endpoint_created(asked: EndpointRequest, mac: Mac) -> EndpointCreated:
    """Only what the request left open: the engine rolls back an endpoint whose given MAC is answered."""
    return EndpointCreated(_Given("" if asked.mac else mac))


def joined(value: Joined) -> JoinedAnswer:
    return JoinedAnswer(
        name=_InterfaceName(value.source, value.prefix),
        gateway=str(value.gateway4 or ""),
        gateway6=str(value.gateway6 or ""),
        no_gateway_bridge=value.no_gateway_bridge,
    )


def pool_answer(pool: Pool) -> PoolAnswer:
    return PoolAnswer(pool.id, str(pool.subnet))


def address_answer(interface: IpInterface) -> AddressAnswer:
    return AddressAnswer(str(interface))


def allocated(message: AllocateNetwork) -> Allocated:
    """The options as they came: what is answered here is all that swarm hands to the nodes."""
    return Allocated(_texts(message.options, "Options"))


# ------------------------------------------------------------------------- reading


def network_id(text: str) -> NetworkId:
    """Docker's id of a network, whatever its form: swarm's are not hexadecimal."""
    return NetworkId(_id(text, "NetworkID"))


def endpoint_id(text: str) -> EndpointId:
    return EndpointId(_id(text, "EndpointID"))


def _id(text: str, name: str) -> str:
    if not text or len(text) > MAX_ID or not text.isascii() or not text.isalnum():
        raise BadRequest(f"field {name} is no id of Docker's: {text[:MAX_ID]!r}; they are letters and digits")
    return text


def _parsed(text: str | None, kind: type[A], name: str) -> A | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}") from error


def _family(
    subnets: list[_IpamData] | None, network: type[Any], interface: type[Any], name: str
) -> tuple[Any, Any]:
    """Subnet and gateway of one family, (None, None) when the network does not use it."""
    if not subnets:
        return None, None
    if len(subnets) > 1:
        given = ", ".join(str(it.pool) for it in subnets)
        raise BadRequest(
            f"a network has one subnet of each family here, got {given}; create one network for each subnet"
        )
    subnet = _parsed(subnets[0].pool, network, f"{name}.Pool")
    if subnet is None or subnet in EVERYWHERE:
        return None, None
    return subnet, _parsed(subnets[0].gateway, interface, f"{name}.Gateway")


def _network(text: str | None, name: str) -> IpNetwork | None:
    if not text:
        return None
    try:
        return ip_network(text)
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}{_network_form(text)}") from error


def _network_form(text: str) -> str:
    """What was probably meant, where bits beyond the prefix are set."""
    try:
        return f"; write {ip_network(text, strict=False)}"
    except ValueError:
        return "; write it like 10.20.0.0/24 or fd00:20::/64"


def _address(text: str | None, name: str) -> IpAddress | None:
    if not text:
        return None
    try:
        return ip_address(text)
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}") from error


def _mac(text: str | None) -> Mac | None:
    return parse_mac(text) if text else None


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"field Options.{name} is not true or false: {value!r}")
    return bool(value)


def _users(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without what the engine put in."""
    return {key: value for key, value in (options or {}).items() if not key.startswith(ENGINE_PREFIX)}


def _texts(options: object, name: str) -> dict[str, str]:
    """A map of texts. The command line only ever sends texts; the engine's API could be used to send others."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise BadRequest(f"field {name} is not a map of option names to texts")
    for key, value in options.items():
        if not isinstance(value, str):
            raise BadRequest(
                f"field {name}: the value of option {key!r} is not a text: {value!r}; put it in quotes"
            )
    return options
