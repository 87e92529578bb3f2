"""Reading single fields of the engine's messages. Pure.

Empty and absent mean the same everywhere: different engines write either. Whatever else is not what it should
be is a BadRequest that names the field.
"""

from collections.abc import Mapping
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, TypeVar

from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import EndpointId, IpAddress, IpNetwork, NetworkId
from ovsnet.model.network import ENGINE_PREFIX

MAX_NAME = 255
"""Longest id, name or address space we keep; the engine's are at most 64 long."""

I = TypeVar("I", IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)  # noqa: E741


def network_id(text: str) -> NetworkId:
    """Docker's id of a network, whatever its form: swarm's are not hexadecimal."""
    return NetworkId(_id(text, "NetworkID"))


def endpoint_id(text: str) -> EndpointId:
    """Docker's id of an endpoint."""
    return EndpointId(_id(text, "EndpointID"))


def _id(text: str, name: str) -> str:
    if not text or len(text) > MAX_NAME or not text.isascii() or not text.isalnum():
        raise BadRequest(f"field {name} is not an id of Docker's, which are letters and digits: {text!r}")
    return text


def word(text: str, name: str) -> str:
    """A short text without control characters; it is kept and shown to people."""
    if len(text) > MAX_NAME or not text.isprintable():
        raise BadRequest(f"field {name} is longer than {MAX_NAME} or has characters that cannot be shown: {text!r}")
    return text


def path(text: str, name: str) -> str:
    """The absolute path of a file."""
    if not text.startswith("/") or not text.isprintable():
        raise BadRequest(f"field {name} is not an absolute path: {text!r}")
    return text


def interface(text: str | None, kind: type[I], name: str) -> I | None:
    """An address with its prefix length, or a network, of one family."""
    if not text:
        return None
    try:
        return kind(_without_scope(text))
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}") from error


def address(text: str | None, name: str) -> IpAddress | None:
    """An address without prefix length, of either family."""
    if not text:
        return None
    try:
        return ip_address(_without_scope(text))
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}") from error


def network(text: str | None, name: str) -> IpNetwork | None:
    """A network in CIDR form, of either family."""
    if not text:
        return None
    try:
        return ip_network(_without_scope(text))
    except ValueError as error:
        raise BadRequest(f"field {name}: {error}; {_network_form(text)}") from error


def _without_scope(text: str) -> str:
    """The standard library takes `fe80::1%eth0`, which would not be equal to the same address without it."""
    if "%" in text:
        raise ValueError(f"{text!r} names an interface; write the address alone")
    return text


def _network_form(text: str) -> str:
    """What was probably meant, where bits beyond the prefix are set."""
    try:
        return f"write {ip_network(text, strict=False)}"
    except ValueError:
        return "write it like 10.20.0.0/24 or fd00:20::/64"


def flag(options: Mapping[str, Any], name: str) -> bool:
    """True or false; false when the engine leaves it out."""
    value = options.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"field Options.{name} is not true or false: {value!r}")
    return bool(value)


def users(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options without what the engine put in."""
    return {key: value for key, value in (options or {}).items() if not key.startswith(ENGINE_PREFIX)}


def texts(options: object, name: str) -> dict[str, str]:
    """A map of texts. The command line sends nothing else; other clients of the engine could."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise BadRequest(f"field {name} is not a map of option names to texts")
    for key, value in options.items():
        if not isinstance(value, str):
            raise BadRequest(f"field {name}: option {key!r} is not a text but {value!r}; put it in quotes")
    return options
