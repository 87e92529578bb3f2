"""What members' agents say to each other. Pure.

Hosts of two versions speak during an upgrade: unknown fields are ignored, and a field that is added has a default.
Addresses are text that is known to be an address. What is secret does not show in `repr`, hence in no log.
"""

from ipaddress import ip_address
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ovsnet.cluster.identity import check_name
from ovsnet.model.cluster import Encapsulation
from ovsnet.model.errors import (
    ApplyError,
    BadRequest,
    Conflict,
    NotFound,
    OvsnetError,
    Stale,
    Unavailable,
    http_status,
)

AUTHORITY = "/v1/ca"
JOIN = "/v1/join"
HELLO = "/v1/hello"
FORGET = "/v1/forget"
YIELD = "/v1/yield"
PROMOTE = "/v1/promote"
LEAVE = "/v1/leave"
RECOVERED = "/v1/recovered"


class Nothing(msgspec.Struct, frozen=True):
    """Where there is nothing to say."""


class HelloAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers. `voters` are the addresses of those that vote, none where the database is out of reach there too."""

    host: str
    voters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in self.voters:
            ip_address(address)


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A host wants to be a member. `mtu` in bytes; `certificate_request` is PEM. `encapsulations` are those it can have
    tunnels of: a host that says nothing of it is of a version that had no choice.
    """

    secret: Annotated[bytes, Meta(max_length=64)]
    name: str
    address: str
    vtep: str
    mtu: Annotated[int, Meta(ge=68, le=65535)]
    version: str
    certificate_request: str
    encapsulations: tuple[str, ...] = (Encapsulation.VXLAN,)

    def __post_init__(self) -> None:
        check_name(self.name)
        ip_address(self.address)
        ip_address(self.vtep)

    def __repr__(self) -> str:
        return f"JoinRequest(name={self.name!r}, address={self.address!r}, secret=…)"


class JoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """It is one. `certificate` is PEM, `voters` are addresses."""

    cluster_id: str
    certificate: str
    voters: tuple[str, ...]


class ForgetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member is gone for good and shall be forgotten."""

    host: str


class LeaveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member says that it leaves."""

    host: str


class RecoveredRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The caller went on alone with its copy of the database: RAFT's cluster `cluster` takes the place of `replaced`.

    `voters` are the addresses of those that vote in it.
    """

    cluster: str
    replaced: tuple[str, ...]
    voters: tuple[str, ...]

    def __post_init__(self) -> None:
        for address in self.voters:
            ip_address(address)


class YieldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Give back what you hold ahead: this address, or (where it is "") `count` of them, of one family."""

    network: str
    address: str = ""
    count: Annotated[int, Meta(ge=0, le=65536)] = 0
    family: Literal[4, 6] = 4

    def __post_init__(self) -> None:
        if self.address:
            ip_address(self.address)


class YieldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses that were given back; fewer than asked for, or none, when they are in use."""

    addresses: tuple[str, ...]


class PromoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The key of the cluster's authority, PEM: for voters."""

    authority_key: str

    def __repr__(self) -> str:
        return "PromoteAnswer(authority_key=…)"


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every answer that is not 200. `error` is a sentence for people; `kind` the error's type and `about` whom or what
    it is about, so that the caller raises the same error.
    """

    error: str
    kind: str = ""
    about: str = ""


_KINDS = {it.__name__: it for it in (BadRequest, NotFound, Conflict, Stale, OvsnetError)}
_BY_STATUS: dict[int, type[OvsnetError]] = {
    400: BadRequest,
    403: BadRequest,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
    429: Conflict,
}
"""For refusals without a kind that we know: of HTTP itself, or of another version."""


def refusal(error: OvsnetError) -> tuple[int, Refusal]:
    """What is answered instead, and with which HTTP status."""
    about = {ApplyError: "resource", Unavailable: "neighbour"}.get(type(error), "")
    return http_status(error), Refusal(
        error=str(error), kind=type(error).__name__, about=getattr(error, about) if about else ""
    )


def refused(who: str, status: int, said: Refusal) -> OvsnetError:
    """The error at the caller; its text says who refused."""
    if said.kind == "Unavailable":
        return Unavailable(f"{said.about} of {who}", said.error.removeprefix(f"{said.about} is not available: "))
    if said.kind == "ApplyError":
        return ApplyError(f"{who}: {said.about}", said.error.removeprefix(f"{said.about}: "))
    if status in {404, 405} and not said.kind:
        return Unavailable(who, f"it does not know this request ({said.error}); is it another version of ovsnet?")
    kind = _KINDS.get(said.kind) or _BY_STATUS.get(status, OvsnetError)
    return kind(f"{who} says: {said.error}")
