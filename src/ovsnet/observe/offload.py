"""What Open vSwitch has handed over to tc, or to a NIC, of its datapath's flows; and what the doctor says of it. Pure.

`other_config:hw-offload` is its owner's to set: we read it, and never write it. A flow is in one of

    tc            the kernel's classifier, software as long as no NIC takes it over
    a NIC         "offloaded:yes" beside it
    the datapath  what is not asked for here: hw-offload is off, or it was refused
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ovsnet.observe.findings import Finding, ok

SUBJECT = "flow offload"
TYPES = "type=tc,dpdk,offloaded,partially-offloaded"
"""Of dpctl/dump-flows (ovs-vswitchd(8)): all but what is in the datapath alone, which may be very many."""
_PACKETS = re.compile(r"\bpackets:(\d+)")


@dataclass(frozen=True, slots=True)
class OffloadReading:
    """`on`: hw-offload is; `policy` is the tc-policy, "" where none is set. `flows` are out of the datapath, of these
    `in_nic` in a NIC, and `packets` went by them since they are there. `why` they are not known, "" where they are.
    """

    on: bool = False
    policy: str = ""
    flows: int = 0
    in_nic: int = 0
    packets: int = 0
    why: str = ""


def settings_in(other_config: str) -> tuple[bool, str]:
    """hw-offload and tc-policy, of a map as ovs-vsctl prints it: `{hw-offload="true", tc-policy=skip_hw}`."""
    pairs = (it.strip().partition("=") for it in other_config.strip("{}").split(","))
    values = {key.strip('"'): value.strip('"') for key, _, value in pairs}
    return values.get("hw-offload") == "true", values.get("tc-policy", "")


def counted(policy: str, dumps: Iterable[str]) -> OffloadReading:
    """Of what `dpctl/dump-flows -m` says of each datapath: a flow a line."""
    lines = [line for dump in dumps for line in dump.splitlines() if _PACKETS.search(line)]
    in_nic = sum("offloaded:yes" in it or "offloaded:partial" in it for it in lines)
    packets = sum(int(found[1]) for it in lines if (found := _PACKETS.search(it)))
    return OffloadReading(on=True, policy=policy, flows=len(lines), in_nic=in_nic, packets=packets)


def offload(it: OffloadReading) -> Finding:
    """No warning in any case: whoever has set it knows what for."""
    if not it.on:
        return ok(SUBJECT, "off, as is Open vSwitch's default (other_config:hw-offload)")
    policy = f", tc-policy={it.policy}" if it.policy else ""
    if it.why:
        return ok(SUBJECT, f"on{policy}; which flows are offloaded is not known: {it.why}")
    flows = f"{it.flows} flows handed over, {it.in_nic} of them to a NIC"
    return ok(SUBJECT, f"on{policy}: {flows}; {it.packets} packets went by them")


def arguments(datapath: str) -> Sequence[str]:
    """What ovs-appctl is asked of a datapath."""
    return ("dpctl/dump-flows", "-m", datapath, TYPES)
