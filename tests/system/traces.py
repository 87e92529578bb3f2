"""What of ours is on a host, as one value: taken before and after something that must leave nothing behind.

Without the pairs that wait for a container: after one was taken another one waits, with another name, some time later.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.system.networks import API, BRIDGE, ask

OFCTL = "ovs-ofctl -O OpenFlow15"
SPARES = "ovsdb-client --timeout=10 --format=csv --no-headings dump unix:/run/ovsnet/store.sock OVSNet Spare spare_id"
"""Asked for before and after all else: some may be wanted, or not any more, in between."""
COMMANDS = (
    SPARES,
    f"ovs-vsctl --timeout=10 list-ports {BRIDGE}",
    f"{OFCTL} --no-stats dump-flows {BRIDGE}",
    f"{OFCTL} dump-groups {BRIDGE} | tail -n +2",
    f"{OFCTL} dump-meters {BRIDGE} | tail -n +2",
    "ip -d -j link show",
    "nft list ruleset",
    *(f"{' '.join(API)} http://ovsnet/v1/{what}" for what in ("networks", "endpoints", "leases", "status")),
    SPARES,
)
COUNTER = re.compile(r"counter packets \d+ bytes \d+")


@dataclass(frozen=True, slots=True)
class Traces:
    """All of it. `rules` are the host's packet filter rules, whoever made them; addresses that rest do not count."""

    ports: frozenset[str]
    flows: frozenset[str]
    groups: frozenset[str]
    meters: frozenset[str]
    links: frozenset[str]
    rules: str
    networks: frozenset[str]
    endpoints: frozenset[str]
    pools: frozenset[str]
    addresses: frozenset[str]


def traces(host: Host) -> Traces:
    """What is there now; the agent and the switch must be running."""
    script = "set -e -o pipefail; " + "; printf '\\f'; ".join(COMMANDS)
    before, ports, flows, groups, meters, links, rules, *said, after = host.shell(script).stdout.split("\f")
    spares = (it.strip('"') for it in _lines(before) | _lines(after))  # quoted where they begin with a digit
    waiting = frozenset(end + it[:11] for it in spares for end in ("ov", "oc"))
    networks, endpoints, leases, status = map(json.loads, said)
    return Traces(
        ports=_lines(ports) - waiting,
        flows=_lines(flows),
        groups=_lines(groups),
        meters=_lines(meters),
        links=frozenset(it["ifname"] for it in json.loads(links) if _ours(it)) - waiting,
        rules=COUNTER.sub("counter", rules),
        networks=frozenset(it["id"] for it in networks),
        endpoints=frozenset(it["endpoint_id"] for it in endpoints),
        pools=frozenset(it["pool"] for it in status["pools"]),
        addresses=frozenset(f"{it['pool']} {it['address']}" for it in leases if it["state"] == "held"),
    )


def amounts(of: Traces) -> dict[str, int]:
    """How many things there are: new endpoints and ports on a new bridge have other names and numbers."""
    return {name: len(getattr(of, name)) for name in Traces.__slots__ if name != "rules"}


def left_as(host: Host, before: Traces, deadline: float = 5) -> None:
    """The host is as it was, at the latest when the engine has finished tearing down; names what is not."""
    try:
        wait_until(lambda: traces(host) == before, deadline, "the host as it was before")
    except AssertionError as error:
        error.add_note("\n".join(_differences(before, traces(host))))
        raise
    clean(host)


def clean(host: Host) -> None:
    """`ovsnet check` has nothing to report."""
    found = ask(host, "check")
    assert found["clean"], found["items"]


def _differences(before: Traces, after: Traces) -> list[str]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in Traces.__slots__)
    return [f"{name}: was {_shown(old, new)}, is {_shown(new, old)}" for name, old, new in pairs if old != new]


def _shown(mine: Any, other: Any) -> Any:
    if isinstance(mine, str):
        return sorted(_lines(mine) - _lines(other)) or "in another order"
    return sorted(mine - other)


def _ours(link: Any) -> bool:
    """By mark or by name: a link that lost its mark half-way would be ours all the same."""
    return link.get("ifalias", "").startswith("ovsnet:") or bool(re.fullmatch(r"o[vci][0-9a-f]{11}0?", link["ifname"]))


def _lines(text: str) -> frozenset[str]:
    return frozenset(line.strip() for line in text.splitlines() if line.strip())
