"""What may happen to a host, each with what it may cost at most. See `survival` for the host it happens to.

Cost.NOTHING     no packet is lost anywhere
Cost.A_MOMENT    no traffic for less than a second (two on a slow machine), no connection breaks
Cost.A_PAUSE     packets come late, and all come
Cost.CONTAINERS  all containers end, and are back by themselves
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from tests.rig.container import Container
from tests.rig.host import PROJECT, Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system.faults import powered_off
from tests.system.survival import NETWORK, STATE_DIR, Scene

ENGINE_ANSWERS = 2.0
"""Seconds that an engine may need without our agent."""
SOURCES, EARLIER = str(PROJECT / "src/ovsnet"), "/opt/earlier"
STORE = f"{STATE_DIR}/ovsnet.db"


class Cost(Enum):
    """What may be noticed of it."""

    NOTHING = "no packet"
    A_MOMENT = "less than 1 s"
    A_PAUSE = "no packet, a pause of less than 3 s"
    CONTAINERS = "all containers restart"


@dataclass(frozen=True, slots=True)
class Happening:
    """`happens` returns when everything that was stopped has been started again."""

    happens: Callable[[Scene], None]
    cost: Cost
    live_restore: bool = False
    anew: bool = False
    """Whether endpoints or ports are made anew, so that only their number is as before."""
    orphans: bool = False
    """Whether something may be left over until orphans are collected."""


SWITCH: Mapping[str, Callable[[Host], None]] = {
    "ovs-vswitchd restarted": lambda host: host.services("vswitchd", "restart"),
    "ovs-vswitchd killed": lambda host: host.services("vswitchd", "kill"),
    "ovsdb-server restarted": lambda host: host.services("ovsdb", "restart"),
    "ovsdb-server killed": lambda host: host.services("ovsdb", "kill"),
    "Open vSwitch restarted": lambda host: host.services("ovs", "restart"),
    "Open vSwitch killed": lambda host: host.services("ovs", "kill"),
}


def switch(what: str) -> Callable[[Scene], None]:
    """Whatever was killed is started again at once."""

    def happens(scene: Scene) -> None:
        SWITCH[what](scene.host)
        scene.host.services("ovs", "start")

    return happens


# ------------------------------------------------------------ the agent and its store


def agent_stopped(scene: Scene) -> None:
    scene.host.agent.stop()
    scene.host.agent.start(*scene.options)


def agent_killed(scene: Scene) -> None:
    scene.host.agent.kill()
    scene.host.agent.wait_ready()


def keeper_killed(scene: Scene) -> None:
    scene.host.agent.kill_all()
    scene.host.agent.start(*scene.options)


def agent_upgraded(scene: Scene) -> None:
    """To an earlier version and back."""
    host = scene.host
    host.run("python3", str(PROJECT / "tests/system/earlier.py"), SOURCES, EARLIER)
    host.agent.stop()
    host.run("mount", "--bind", EARLIER, SOURCES)
    host.agent.start(*scene.options)
    host.agent.stop()
    host.run("umount", "-l", SOURCES)
    host.run("rm", "-rf", EARLIER)
    host.agent.start(*scene.options)


def store_killed(scene: Scene) -> None:
    victim = scene.host.agent.store_pid
    scene.host.run("kill", "-KILL", str(victim))
    wait_until(lambda: store_is_another(scene, victim), 30, "another store")


def store_is_another(scene: Scene, than: int) -> bool:
    pids = [
        pid
        for pid, (parent, command) in scene.host.processes().items()
        if parent == scene.host.agent.keeper_pid and "ovsdb-server" in command
    ]
    return bool(pids) and than not in pids


def store_gone(scene: Scene) -> None:
    scene.host.run("rm", STORE)
    store_killed(scene)


def store_corrupt(scene: Scene) -> None:
    """Somebody writes into the middle of it. What is damaged is kept beside the new one."""
    scene.host.shell(f"printf XXXXXXXXXXXXXXXX | dd of={STORE} bs=1 seek=$(($(stat -c %s {STORE}) / 2)) conv=notrunc")
    store_killed(scene)
    scene.host.run("rm", f"{STORE}.damaged")


def disk_full(scene: Scene) -> None:
    """Nothing can be written down, not even by an agent that starts anew; what runs goes on, what starts is refused."""
    host = scene.host
    with small_disk(scene):
        host.shell(
            f"dd if=/dev/zero of={STATE_DIR}/filler bs=64k 2>/dev/null; dd if=/dev/zero of={STATE_DIR}/f2 bs=1 2>&1",
            check=False,
        )
        # The last page of a file has room for a few changes more.
        refused = wait_until(lambda: refusal(host), 60, "a container is refused")
        assert "the store" in refused, refused
        host.agent.kill()
        host.agent.wait_ready()
        host.run("rm", f"{STATE_DIR}/filler", f"{STATE_DIR}/f2")
        host.docker("run", "--rm", "--network", NETWORK, "busybox:local", "true")


def refusal(host: Host) -> str:
    """Why a container does not start; "" when it does."""
    run = host.docker("run", "--rm", "--network", NETWORK, "busybox:local", "true", check=False)
    return "" if run.ok else run.stderr


@contextmanager
def small_disk(scene: Scene) -> Iterator[None]:
    """The agent's state on a disk of its own while the block runs."""
    host, options = scene.host, scene.options
    host.agent.stop()
    host.shell(
        f"mkdir /mnt/small && mount -t tmpfs -o size=4m,mode=700 small /mnt/small && cp -a {STATE_DIR}/. /mnt/small"
    )
    host.shell(f"mount --bind /mnt/small {STATE_DIR}")
    host.agent.start(*options)
    yield
    host.agent.stop()
    host.shell(f"umount {STATE_DIR} && cp -a /mnt/small/. {STATE_DIR} && umount /mnt/small && rmdir /mnt/small")
    host.agent.start(*options)


# ------------------------------------------------------------ the engine


def live_restore(host: Host, wanted: bool) -> None:
    """The engine's setting, changed while it runs."""
    now = host.docker("info", "-f", "{{.LiveRestoreEnabled}}").stdout.strip() == "true"
    if now is wanted:
        return
    host.write_file("/etc/docker/daemon.json", f'{{"live-restore": {str(wanted).lower()}}}\n')
    host.shell("kill -HUP $(cat /run/docker.pid)")
    said = str(wanted).lower()
    wait_until(lambda: host.docker("info", "-f", "{{.LiveRestoreEnabled}}").stdout.strip() == said, 10, "live-restore")


def engine(how: str) -> Callable[[Scene], None]:
    def happens(scene: Scene) -> None:
        scene.host.services("docker", how)
        scene.host.services("docker", "start")

    return happens


def engine_absent(scene: Scene) -> None:
    """While the agent starts, and until it has found that all is well."""
    scene.host.agent.stop()
    scene.host.services("docker", "stop")
    scene.host.agent.start(*scene.options)
    scene.clean_after()
    scene.host.services("docker", "start")


def agent_absent(scene: Scene) -> None:
    """While the engine starts: it comes up, and answers. Its containers are started afterwards.

    It waits 15 s for a plugin that is not there, and as long again for each container that it is to start by itself,
    one after the other. Where systemd holds our socket the agent is never absent.
    """
    host = scene.host
    names = [it.name for it in scene.all]
    host.docker("update", "--restart", "no", *names)
    host.services("docker", "stop")
    host.agent.stop()
    began = time.monotonic()
    host.services("docker", "start")
    took = round(time.monotonic() - began, 1)
    answers = host.docker("ps").seconds
    host.agent.start(*scene.options)
    host.docker("update", "--restart", "always", *names)
    host.docker("start", *names, timeout=240)
    assert took < scene.engine_up, took
    assert answers < ENGINE_ANSWERS, answers


# ------------------------------------------------------------ one container


def another_life(scene: Scene, end: Callable[[Container], object]) -> None:
    """What ended a container, which is started again by its policy."""
    before = scene.v.pid
    end(scene.v)
    wait_until(lambda: scene.v.pid not in (0, before), 30, "the container runs again")


def init_killed(scene: Scene) -> None:
    another_life(scene, lambda it: scene.host.run("kill", "-KILL", str(it.pid)))


def shim_killed(scene: Scene) -> None:
    another_life(scene, lambda it: scene.host.run("kill", "-KILL", str(scene.host.processes()[it.pid][0])))


def restarted(scene: Scene) -> None:
    another_life(scene, Container.restart)


def paused(scene: Scene) -> None:
    scene.host.docker("pause", scene.v.name)
    assert scene.complaints() == []
    scene.host.docker("unpause", scene.v.name)


# ------------------------------------------------------------ the host


def rebooted(scene: Scene) -> None:
    assert isinstance(scene.host, NamespaceHost)
    with powered_off(scene.host, options=scene.options):
        pass


def nothing(scene: Scene) -> None:
    """For as long as the quickest of the others."""
    wait_until(iter([False] * 50 + [True]).__next__, 30, "a while")


HAPPENINGS: Mapping[str, Happening] = {
    "nothing": Happening(nothing, Cost.NOTHING),
    "agent stopped and started": Happening(agent_stopped, Cost.NOTHING),
    "agent killed": Happening(agent_killed, Cost.NOTHING),
    "agent, store and keeper killed": Happening(keeper_killed, Cost.NOTHING),
    "agent downgraded and upgraded": Happening(agent_upgraded, Cost.NOTHING),
    "store killed": Happening(store_killed, Cost.NOTHING),
    "store's file gone": Happening(store_gone, Cost.NOTHING),
    "store's file corrupt": Happening(store_corrupt, Cost.NOTHING),
    "disk full": Happening(disk_full, Cost.NOTHING, anew=True, orphans=True),
    **{what: Happening(switch(what), Cost.A_PAUSE if "ovsdb" in what else Cost.A_MOMENT) for what in SWITCH},
    "container paused": Happening(paused, Cost.NOTHING),
    "container restarted": Happening(restarted, Cost.NOTHING, anew=True),
    "container's init killed": Happening(init_killed, Cost.NOTHING, anew=True),
    "container's shim killed": Happening(shim_killed, Cost.NOTHING, anew=True),
    "dockerd restarted, live-restore": Happening(engine("restart"), Cost.NOTHING, live_restore=True),
    "dockerd killed, live-restore": Happening(engine("kill"), Cost.NOTHING, live_restore=True),
    "agent started without the engine": Happening(engine_absent, Cost.NOTHING, live_restore=True),
    "dockerd restarted": Happening(engine("restart"), Cost.CONTAINERS, anew=True),
    "dockerd killed": Happening(engine("kill"), Cost.CONTAINERS, anew=True),
    "engine started without the agent": Happening(agent_absent, Cost.CONTAINERS, anew=True),
    "host rebooted": Happening(rebooted, Cost.CONTAINERS, anew=True),
}

ON_ANY_HOST = tuple(it for it in HAPPENINGS if it != "host rebooted")
"""A machine with a kernel of its own has no disk that stays."""
