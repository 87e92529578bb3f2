"""How much waits at a port: what `ss` says of the switch's packet sockets."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable, Mapping

from tests.functional.port_rig import BRIDGE, Rig, bridge, converge, port, running
from tests.functional.switch import DEADLINE, Switch

from ovsnet.ovs.receivebuffers import PacketSockets, ReceiveBuffers

SIZE = 1 << 20
AF_XDP = 44
"""linux/socket.h; Python has no name for it."""


def sizes(rig: Rig) -> Mapping[str, int]:
    """Bytes that the packet socket of each port holds, by interface."""
    said = rig.real.call("ss", "--packet", "--memory", "--numeric", "--no-header")
    return {
        it["name"]: int(it["size"]) for it in re.finditer(r":(?P<name>[\w-]+)\s.*?,rb(?P<size>\d+),", said, re.DOTALL)
    }


async def until(condition: Callable[[], bool]) -> None:
    """Nobody tells when a socket's buffer has changed."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_more_waits_at_our_ports_also_after_a_restart_and_others_stay_as_they_are(switch: Switch) -> None:
    async with running(switch) as rig, asyncio.TaskGroup() as group:
        for number, name in enumerate(("ours1", "ours2", "foreign"), 1):
            rig.veth(name, number)
        await converge(rig.bridges, bridge())
        switch.vsctl("add-port", BRIDGE, "foreign")
        widening = group.create_task(ReceiveBuffers(rig.switch, SIZE, switch.run_dir).run())

        await converge(rig.ports, port("ours1"))
        await until(lambda: sizes(rig)["ours1"] == SIZE)
        own = sizes(rig)["foreign"]
        assert own < SIZE
        await converge(rig.ports, port("ours1"), port("ours2"))
        await until(lambda: sizes(rig)["ours2"] == SIZE)
        await rig.ports.replug(["ours1"])
        await until(lambda: sizes(rig)["ours1"] == SIZE)

        switch.stop_daemon()
        switch.start_daemon()
        await until(lambda: sizes(rig) == {"ours1": SIZE, "ours2": SIZE, "foreign": own})
        widening.cancel()
        rig.close()


def test_sockets_that_tell_no_address_are_passed_over() -> None:
    """Those of AF_XDP, as a switch has for ports of that type: the agent ended over them."""
    with (
        socket.socket(AF_XDP, socket.SOCK_RAW),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets,
    ):
        packets.bind(("lo", 0))
        assert PacketSockets(os.getpid()).widen({"lo"}, SIZE) == {"lo"}
        assert packets.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == SIZE


async def test_zero_leaves_them_alone(switch: Switch) -> None:
    async with running(switch) as rig:
        async with asyncio.timeout(DEADLINE):
            await ReceiveBuffers(rig.switch, 0, switch.run_dir).run()
