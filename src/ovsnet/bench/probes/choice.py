"""Which probes there are, by the names people choose them by."""

from collections.abc import Mapping, Sequence

from ovsnet.bench.choosing import check_names
from ovsnet.bench.probes.connections import Connections
from ovsnet.bench.probes.interface import Probe
from ovsnet.bench.probes.iperf import UDP_LARGE, Throughput
from ovsnet.bench.probes.sockperf import Latency
from ovsnet.bench.probes.trafgen import PacketRate

PROBES: Mapping[str, Sequence[Probe]] = {
    "tcp": (Throughput(1), Throughput(8)),
    "udp": (Throughput(1, udp=64), Throughput(1, udp=512), Throughput(1, udp=UDP_LARGE), Throughput(8, udp=UDP_LARGE)),
    "latency": (Latency("tcp"), Latency("udp")),
    "packets": (PacketRate(),),
    "connections": (Connections(),),
}
TOOLS = ("iperf3", "sockperf", "trafgen", "wrk", "civetweb")


def probes_of(names: Sequence[str]) -> list[Probe]:
    """Those of these names, or all; BadRequest names one that is not there."""
    check_names("--probe", "probe", names, PROBES)
    return [probe for name, group in PROBES.items() if not names or name in names for probe in group]
