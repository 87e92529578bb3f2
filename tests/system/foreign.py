"""What other people have on a host: a bridge, flows, rules. Nothing we do may change a byte of it."""

import re

from tests.rig.host import Host
from tests.system.networks import BRIDGE

OFCTL = "ovs-ofctl -O OpenFlow15"
FLOW = "cookie=0x77,table=200,priority=7,in_port=4242,actions=drop"
GROUP = "group_id=4242,type=all,bucket=actions=drop"
# Columns that say what was asked for; the others are readings of the moment.
ROWS = (
    "--columns=_uuid,name,ports,fail_mode,datapath_type,external_ids,other_config,flood_vlans list bridge br-theirs",
    "--columns=_uuid,name,tag,trunks,interfaces,external_ids,other_config list port theirs0 theirs1",
    "--columns=_uuid,name,type,options,mtu_request,external_ids,other_config list interface theirs0 theirs1",
    "--columns=external_ids,other_config list open_vswitch .",
)
SET_UP = f"""
set -e
ovs-vsctl add-br br-theirs -- set bridge br-theirs datapath_type=netdev fail_mode=secure external_ids:whose=theirs \\
    other_config:hwaddr=02:00:00:00:42:42
ovs-vsctl add-port br-theirs theirs0 tag=42 -- set interface theirs0 type=internal mtu_request=1400
ovs-vsctl add-port {BRIDGE} theirs1 tag=43 -- set interface theirs1 type=internal external_ids:whose=theirs
{OFCTL} add-group br-theirs '{GROUP}'
{OFCTL} add-flow br-theirs '{FLOW}'
{OFCTL} add-flow br-theirs 'cookie=0xf5e010000000000,priority=9,in_port=9,actions=drop'
{OFCTL} add-group {BRIDGE} '{GROUP}'
{OFCTL} add-flow {BRIDGE} '{FLOW}'
ip link add ovtheirs type bridge
nft add table inet theirs
nft add chain inet theirs input '{{ type filter hook input priority 7; }}'
nft add rule inet theirs input tcp dport 4242 drop
iptables -N THEIRS
iptables -A THEIRS -p tcp --dport 4242 -j DROP
"""
LOOK = (
    *(f"ovs-vsctl {it}" for it in ROWS),
    f"{OFCTL} --no-stats dump-flows br-theirs",
    f"{OFCTL} dump-groups br-theirs | tail -n +2",
    f"{OFCTL} --no-stats dump-flows {BRIDGE} cookie=0x77/-1",
    f"{OFCTL} dump-groups {BRIDGE} 4242 | tail -n +2",
    "ip link show ovtheirs",
    "nft list table inet theirs",
    "iptables -S THEIRS",
)


def set_up(host: Host) -> None:
    """Theirs, on a host that is thrown away afterwards; our bridge must be there."""
    host.shell(SET_UP)


def look(host: Host) -> str:
    """All of it, without what changes by itself."""
    seen = host.shell("set -e -o pipefail\n" + "\n".join(LOOK)).stdout
    return re.sub(r"(packets|bytes) \d+", r"\1 N", seen)
