"""What can be ordered, and how it is answered: everything that changes something. `ORDERS` is the one table.

An order is a POST with a JSON object. Everything a person may want is done by the agent, so that the command line needs
nothing but its socket.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from ovsnet.api.attach_orders import (
    Attached,
    AttachOrder,
    DetachOrder,
    RouteOrder,
    RuleOrder,
    SetOrder,
    Waited,
    WaitOrder,
)
from ovsnet.api.service_orders import ImportOrder, PublishOrder, UnimportOrder, UnpublishOrder
from ovsnet.api.uplink_orders import UplinkOrder, UplinkRemoval
from ovsnet.model.cluster import Encapsulation


class InitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Begin a cluster. `advertise` is the address for other members, `vtep` that of the tunnels, each an address or an
    interface; "" chooses. `name` is this host's name in the cluster, "" its host name. `encapsulation` and
    `udp_port` are those of the tunnels, for as long as there is the cluster; the port 0 is the usual one, 4789 of VXLAN
    and 6081 of Geneve. `docker_dns`: as EnableOrder.
    """

    advertise: str = ""
    vtep: str = ""
    name: str = ""
    encapsulation: Encapsulation = Encapsulation.VXLAN
    udp_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    token_hours: float = 24.0
    docker_dns: bool = False


class JoinOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Join the cluster of the member at `address` with a token of it; the rest as in InitOrder. Without an address a
    member of the token's cluster is looked for on the LAN (mDNS).
    """

    token: str
    address: str = ""
    advertise: str = ""
    vtep: str = ""
    name: str = ""
    docker_dns: bool = False


class TokenOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a new token, good for `hours`."""

    hours: float = 24.0


class LeaveOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave the cluster. `force`: also when the cluster cannot be told, or containers are still on its networks."""

    force: bool = False


class ForgetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take another host out of the cluster. `force`: also one that gives signs of life."""

    host: str
    force: bool = False


class RestoreOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make the cluster's database what it was. `content` is a backup's. `force`: also when hosts that have joined since
    would have to join again, or networks with containers would go.
    """

    content: bytes
    force: bool = False

    def __repr__(self) -> str:
        return f"RestoreOrder({len(self.content)} bytes, force={self.force})"


class RecoverOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go on with this host's copy of the cluster's database alone. `yes`: without it only what that means is said."""

    yes: bool = False


class RecordOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add or remove a name: on one network, by its name, or on all of them ("")."""

    name: str
    address: str
    network: str = ""


class EnableOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have the engine ask our name service first, for all its containers (daemon.json); or not any more."""

    enabled: bool = True


class NetworkOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but what the path says."""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and the command that uses it on the host that shall join. `expires_at`: seconds since the epoch.

    `message` is what there is to say besides.
    """

    token: str
    command: str
    expires_at: float
    message: str = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is done; `message` says what. `restarts`: the agent starts anew right after this answer."""

    message: str
    restarts: bool = False


class Orders(Protocol):
    """Who carries orders out. Errors are of `model.errors`."""

    async def init(self, order: InitOrder) -> Invitation:
        """Begin a cluster."""

    async def join(self, order: JoinOrder) -> Done:
        """Become a member of one."""

    async def token(self, order: TokenOrder) -> Invitation:
        """Make a new invitation."""

    async def leave(self, order: LeaveOrder) -> Done:
        """Be a member no more."""

    async def forget(self, order: ForgetOrder) -> Done:
        """Take a host out; one that is not in has been taken out already."""

    async def backup(self) -> bytes:
        """A copy of the cluster's database."""

    async def restore(self, order: RestoreOrder) -> Done:
        """Make the cluster's database what it was."""

    async def recover(self, order: RecoverOrder) -> Done:
        """Go on with this host's copy of it alone."""

    async def add_record(self, order: RecordOrder) -> Done:
        """Add a name."""

    async def drop_record(self, order: RecordOrder) -> Done:
        """Remove a name that was added."""

    async def enable_names(self, order: EnableOrder) -> Done:
        """Have the engine ask us for names, or not any more."""

    async def remove_network(self, name: str) -> Done:
        """Remove a network from all hosts, unless it is in use."""

    async def expose_network(self, name: str) -> Done:
        """Have this host and a network's containers reach each other."""

    async def hide_network(self, name: str) -> Done:
        """Have them not reach each other any more."""

    async def add_uplink(self, order: UplinkOrder) -> Done:
        """Move a NIC into a bridge; it is as it was when this is refused."""

    async def remove_uplink(self, order: UplinkRemoval) -> Done:
        """Take a NIC out of its bridge."""

    async def attach(self, order: AttachOrder) -> Attached:
        """Attach an interface."""

    async def detach(self, order: DetachOrder) -> Done:
        """Take attached interfaces away."""

    async def change(self, order: SetOrder) -> Done:
        """Change an attached interface."""

    async def add_route(self, order: RouteOrder) -> Done:
        """Add a route inside."""

    async def drop_route(self, order: RouteOrder) -> Done:
        """Take a route away."""

    async def add_rule(self, order: RuleOrder) -> Done:
        """Add a routing rule inside."""

    async def drop_rule(self, order: RuleOrder) -> Done:
        """Take a routing rule away."""

    async def wait(self, order: WaitOrder) -> Waited:
        """Wait for an interface."""

    async def publish(self, order: PublishOrder) -> Done:
        """Have a port lead to a container."""

    async def unpublish(self, order: UnpublishOrder) -> Done:
        """Have it lead nowhere."""

    async def import_service(self, order: ImportOrder) -> Done:
        """Have an address of a network lead to a service."""

    async def unimport(self, order: UnimportOrder) -> Done:
        """Have it lead nowhere."""


LARGEST_BACKUP = 256 << 20
"""Bytes; 100 000 endpoints take about 60 MB."""
ANY_REFUSAL = (400, 404, 409, 500, 503)
Carrier = Callable[[Orders, Any, Mapping[str, str]], Awaitable[Any]]
"""Gets who carries it out, the decoded body, and the variables of the path."""


@dataclass(frozen=True, slots=True)
class Order:
    """One POST route; `body` and `answer` are the types of what comes and goes."""

    path: str
    body: Any
    answer: Any
    carry_out: Carrier
    summary: str
    refusals: tuple[int, ...] = (400, 409, 503)
    largest: int = 0
    """Bytes of the body; 0: as in the settings."""


ORDERS = (
    Order("/v1/cluster/init", InitOrder, Invitation, lambda to, body, _: to.init(body), "Begin a cluster"),
    Order("/v1/cluster/join", JoinOrder, Done, lambda to, body, _: to.join(body), "Join a cluster"),
    Order("/v1/cluster/token", TokenOrder, Invitation, lambda to, body, _: to.token(body), "Make a token to join with"),
    Order("/v1/cluster/leave", LeaveOrder, Done, lambda to, body, _: to.leave(body), "Leave the cluster"),
    Order("/v1/cluster/forget", ForgetOrder, Done, lambda to, body, _: to.forget(body), "Take another host out"),
    Order(
        "/v1/cluster/restore",
        RestoreOrder,
        Done,
        lambda to, body, _: to.restore(body),
        "Make the cluster's database what it was when a backup was made",
        largest=LARGEST_BACKUP,
    ),
    Order(
        "/v1/cluster/recover",
        RecoverOrder,
        Done,
        lambda to, body, _: to.recover(body),
        "Go on with this host's copy of the cluster's database alone, when most voters are gone for good",
    ),
    Order("/v1/dns/add", RecordOrder, Done, lambda to, body, _: to.add_record(body), "Add a name"),
    Order("/v1/dns/remove", RecordOrder, Done, lambda to, body, _: to.drop_record(body), "Remove a name"),
    Order(
        "/v1/dns/enable",
        EnableOrder,
        Done,
        lambda to, body, _: to.enable_names(body),
        "Have the engine ask our name service, or not any more",
    ),
    Order(
        "/v1/uplinks/add",
        UplinkOrder,
        Done,
        lambda to, body, _: to.add_uplink(body),
        "Move a NIC with its addresses and routes into a bridge; it is put back unless its neighbours answer",
    ),
    Order(
        "/v1/uplinks/remove",
        UplinkRemoval,
        Done,
        lambda to, body, _: to.remove_uplink(body),
        "Take a NIC out of its bridge, with its addresses and routes",
        (400, 404, 409, 503),
    ),
    Order(
        "/v1/attachments/attach",
        AttachOrder,
        Attached,
        lambda to, body, _: to.attach(body),
        "Attach an interface to a container or a namespace",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/detach",
        DetachOrder,
        Done,
        lambda to, body, _: to.detach(body),
        "Take attached interfaces away",
        (400, 404, 409, 503),
    ),
    Order(
        "/v1/attachments/set",
        SetOrder,
        Done,
        lambda to, body, _: to.change(body),
        "Change an interface while it runs",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/route/add",
        RouteOrder,
        Done,
        lambda to, body, _: to.add_route(body),
        "Add a route inside of an attached interface",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/route/del",
        RouteOrder,
        Done,
        lambda to, body, _: to.drop_route(body),
        "Take a route of an attached interface away",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/rule/add",
        RuleOrder,
        Done,
        lambda to, body, _: to.add_rule(body),
        "Add a routing rule inside of an attached interface",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/rule/del",
        RuleOrder,
        Done,
        lambda to, body, _: to.drop_rule(body),
        "Take a routing rule of an attached interface away",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/attachments/wait",
        WaitOrder,
        Waited,
        lambda to, body, _: to.wait(body),
        "Wait until an interface is up",
        (400, 404, 409, 503),
    ),
    Order(
        "/v1/ports/publish",
        PublishOrder,
        Done,
        lambda to, body, _: to.publish(body),
        "Have a port of this host lead to a running container",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/ports/unpublish", UnpublishOrder, Done, lambda to, it, _: to.unpublish(it), "Close it again", ANY_REFUSAL
    ),
    Order(
        "/v1/imports/import",
        ImportOrder,
        Done,
        lambda to, body, _: to.import_service(body),
        "Have an address and a port of a network lead to a service elsewhere",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/imports/unimport", UnimportOrder, Done, lambda to, it, _: to.unimport(it), "Close it again", ANY_REFUSAL
    ),
    Order(
        "/v1/networks/{network}/remove",
        NetworkOrder,
        Done,
        lambda to, _, path: to.remove_network(path["network"]),
        "Remove a network from all hosts",
        (400, 404, 409, 503),
    ),
    Order(
        "/v1/networks/{network}/expose",
        NetworkOrder,
        Done,
        lambda to, _, path: to.expose_network(path["network"]),
        "Have this host and a network's containers reach each other",
        ANY_REFUSAL,
    ),
    Order(
        "/v1/networks/{network}/hide",
        NetworkOrder,
        Done,
        lambda to, _, path: to.hide_network(path["network"]),
        "Have them not reach each other any more",
        ANY_REFUSAL,
    ),
)
