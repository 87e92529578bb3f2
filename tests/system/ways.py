"""What hosts say of the ways between them, and how soon they see that one is cut."""

import time

from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.system.networks import ask
from tests.system.underlay import VXLAN, tunnels_cut

PATIENCE = 60.0
"""Seconds for what takes three: a machine may have half a processor."""


def member_of(host: Host) -> str:
    """What it is called in the cluster."""
    return f"h{host.name[1:]}"


def path_to(host: Host, peer: Host) -> str:
    """What a host says of its path to another."""
    return str({it["name"]: it["path"] for it in ask(host, "cluster/members")}[member_of(peer)])


def seen_after(host: Host, peer: Host, state: str) -> float:
    """Seconds until a host says this of its path to another."""
    began = time.monotonic()
    wait_until(lambda: path_to(host, peer) == state, PATIENCE, f"path from {host.name} to {peer.name} {state}")
    return round(time.monotonic() - began, 1)


def told_of_a_cut(rig: Rig, host: Host, peer: Host, *, port: int = VXLAN) -> tuple[float, float]:
    """The peer's tunnels are cut for a while: it is told, with a warning, and nobody counts as dead.

    Returns the seconds until the path was seen to be down, and up again.
    """
    seen_after(host, peer, "up")
    with tunnels_cut(rig, peer, port):
        down = seen_after(host, peer, "down")
        status = ask(host, "status")
        assert any(f"path to host {member_of(peer)} is down since 20" in it for it in status["warnings"]), status
        assert (status["healthy"], status["cluster"]["dead"]) == (True, [])
    up = seen_after(host, peer, "up")
    assert not any("is down since" in it for it in ask(host, "status")["warnings"])
    return down, up
