"""What can be ordered of services (`ORDERS` in api/orders.py has them)."""

import msgspec


class PublishOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have a port of this host lead to a running container: `port` is [ADDRESS:]HOSTPORT:PORT[/PROTOCOL], `network` the
    one it is reached by, "" where it is on one. `replace`: also a port that leads elsewhere by such an order.
    """

    container: str
    port: str
    network: str = ""
    replace: bool = False


class UnpublishOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have a port of this host, [ADDRESS:]HOSTPORT[/PROTOCOL], lead nowhere any more."""

    port: str


class ImportOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have `service`, ADDRESS:PORT[/PROTOCOL] with an address of a network, lead to `target`, ADDRESS:PORT, from now
    on. `network` is needed where the address is of several.
    """

    service: str
    target: str
    network: str = ""


class UnimportOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have `service` lead nowhere any more."""

    service: str
    network: str = ""
