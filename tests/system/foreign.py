"""What other people have on a host: bridges, flows, links, rules. Nothing we do may change a byte of it."""

import re
from typing import Final

from tests.rig.host import Host
from tests.system.networks import BRIDGE

OFCTL: Final = "ovs-ofctl -O OpenFlow15"
FLOW: Final = "cookie=0x77,table=200,priority=7,in_port=4242,actions=drop"
GROUP: Final = "group_id=4242,type=all,bucket=actions=drop"
# A bridge with a flow under the cookie we use on ours, a link whose name begins like ours, tables and chains of rules.
SET_UP: Final = f"""
set -e
ovs-vsctl add-br br-theirs -- set bridge br-theirs datapath_type=netdev fail_mode=secure external_ids:whose=theirs \\
    other_config:hwaddr=02:00:00:00:42:42
ovs-vsctl add-port br-theirs theirs0 tag=42 -- set interface theirs0 type=internal mtu_request=1400
{OFCTL} add-group br-theirs '{GROUP}'
{OFCTL} add-flow br-theirs '{FLOW}'
{OFCTL} add-flow br-theirs 'cookie=0xf5e010000000000,priority=9,in_port=9,actions=drop'
ip link add ovtheirs type bridge
nft add table inet theirs
nft add chain inet theirs input '{{ type filter hook input priority 7; }}'
nft add rule inet theirs input tcp dport 4242 drop
iptables -N THEIRS
iptables -A THEIRS -p tcp --dport 4242 -j DROP
"""
SET_UP_ON_OURS: Final = f"""
set -e
ovs-vsctl add-port {BRIDGE} theirs1 tag=43 -- set interface theirs1 type=internal external_ids:whose=theirs
{OFCTL} add-group {BRIDGE} '{GROUP}'
{OFCTL} add-flow {BRIDGE} '{FLOW}'
"""
# Columns that say what was asked for; the others are readings of the moment.
PORT: Final = "--columns=_uuid,name,tag,trunks,interfaces,external_ids,other_config list port"
INTERFACE: Final = "--columns=_uuid,name,type,options,mtu_request,external_ids,other_config list interface"
LOOK: Final = (
    "ovs-vsctl --columns=_uuid,name,ports,fail_mode,datapath_type,external_ids,other_config list bridge br-theirs",
    f"ovs-vsctl {PORT} theirs0",
    f"ovs-vsctl {INTERFACE} theirs0",
    "ovs-vsctl --columns=external_ids,other_config list open_vswitch .",
    f"{OFCTL} --no-stats dump-flows br-theirs",
    f"{OFCTL} dump-groups br-theirs | tail -n +2",
    "ip link show ovtheirs",
    "nft list table inet theirs",
    "iptables -S THEIRS",
)
LOOK_ON_OURS: Final = (
    f"ovs-vsctl {PORT} theirs1",
    f"ovs-vsctl {INTERFACE} theirs1",
    f"{OFCTL} --no-stats dump-flows {BRIDGE} cookie=0x77/-1",
    f"{OFCTL} dump-groups {BRIDGE} 4242 | tail -n +2",
)


def set_up(host: Host) -> None:
    """A bridge and rules of others, on a host that is thrown away afterwards."""
    host.shell(SET_UP)


def set_up_on_our_bridge(host: Host) -> None:
    """A port, a flow and a group that somebody else has on our bridge."""
    host.shell(SET_UP_ON_OURS)


def look(host: Host) -> str:
    """What `set_up` made, byte by byte."""
    return _said(host, LOOK)


def look_on_our_bridge(host: Host) -> str:
    """What `set_up_on_our_bridge` made, byte by byte."""
    return _said(host, LOOK_ON_OURS)


def _said(host: Host, commands: tuple[str, ...]) -> str:
    seen = host.shell("set -e -o pipefail\n" + "\n".join(commands)).stdout
    return re.sub(r"(packets|bytes) \d+", r"\1 N", seen)
