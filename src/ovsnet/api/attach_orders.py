"""What can be ordered of attached interfaces (`ORDERS` in api/orders.py has them)."""

import msgspec

from ovsnet.model.wishes import Wish


class AttachOrder(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attach an interface to a container, a process's namespace (`pid:N`) or a namespace (`netns:NAME|PATH`).

    Every field has the value of the option of `ovsnet attach` that is called like it, as text; "" and false where it is
    not given. `addresses` are the values of --ip, `routes` and `rules` those of --route and --rule. `wait`: return when
    the interface is up, instead of when it is wanted.
    """

    wait: bool = True


class DetachOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take an attached interface away: the one called `ifname` inside, or with `all` every one of the target.

    `if_exists`: one that is not there is no error.
    """

    target: str
    ifname: str = ""
    all: bool = False
    if_exists: bool = False


class SetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change an attached interface while it runs: what is given takes the place of what was. `ifname` may be left out
    where the target has one. With the name of a network as `ifname` it is the container's interface there; of one that
    the engine made only `rate` can change. Fields as in AttachOrder; `vlan` may be "none" and `dhcp` "off", too.
    `slaac`: null leaves it as it is.
    """

    target: str
    ifname: str = ""
    addresses: tuple[str, ...] = ()
    vlan: str = ""
    trunk: str = ""
    native: str = ""
    qinq: bool = False
    mtu: str = ""
    dhcp: str = ""
    slaac: bool | None = None
    rate: str = ""
    loss: str = ""
    delay: str = ""


class RouteOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add a route inside of an attached interface, or take it away. `route` is CIDR[@GW] [table N]."""

    target: str
    ifname: str = ""
    route: str


class RuleOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add a routing rule inside of an attached interface, or take it away. `rule` is as `ip rule` has it: [from CIDR]
    [to CIDR] [iif NAME] [fwmark MARK[/MASK]] table N [priority N].
    """

    target: str
    ifname: str = ""
    rule: str


class WaitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer when the interface of that name in the target is up and has a carrier, or after `timeout` seconds."""

    target: str
    ifname: str
    timeout: float = 10.0


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What was attached: to whom, the interface's name inside and that of its port, its MAC and its addresses.

    `running` is false where the target does not run: the interface comes with it. `message` says it in words.
    """

    id: str
    target: str
    ifname: str
    port: str
    mac: str
    addresses: tuple[str, ...]
    running: bool
    message: str


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the interface is up; `reason` says why not."""

    up: bool
    reason: str = ""
