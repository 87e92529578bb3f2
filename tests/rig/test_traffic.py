"""The packet counter: it must count every loss, and lose nothing itself."""

import time

from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.traffic import Flood


def test_a_quiet_network_loses_nothing(bare_host: NamespaceHost) -> None:
    with (
        bare_host.container("from") as sender,
        bare_host.container("to") as receiver,
        Flood(sender, receiver, receiver.address("bridge"), rate=2000) as flood,
    ):
        time.sleep(1)  # the length of the flood, here and below

    assert flood.result.sent >= 1000
    assert flood.result.lost == 0
    assert flood.result.duplicates == 0


def test_a_broken_link_is_counted(bare_host: NamespaceHost) -> None:
    with (
        bare_host.container("from") as sender,
        bare_host.container("to") as receiver,
        Flood(sender, receiver, receiver.address("bridge")) as flood,
    ):
        receiver.inside("ip", "link", "set", "eth0", "down")
        time.sleep(0.3)
        receiver.inside("ip", "link", "set", "eth0", "up")
        wait_until(lambda: sender.pings(receiver.address("bridge")), 10, "the link is back")
        time.sleep(0.2)

    assert flood.result.lost >= 200
    assert flood.result.lost == sum(length for _, length in flood.result.holes)
    assert flood.result.longest_gap >= 0.25


def test_ipv6_is_counted_too(bare_host: NamespaceHost) -> None:
    with bare_host.container("alone") as container:
        container.inside("sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=0")
        with Flood(container, container, "::1") as flood:
            time.sleep(0.3)

    assert flood.result.sent > 0
    assert flood.result.lost == 0
