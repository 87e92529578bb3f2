"""The survival matrix (issue 6): whatever happens to a host, what its containers notice, and that all is as before.

Recorded by `make survival`, which makes docs/survival.md of it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.rig.host import Host
from tests.rig.outside import Outside
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.combinations import SID
from tests.system.happenings import HAPPENINGS, ON_ANY_HOST, Cost, live_restore
from tests.system.survival import BACK, CLEAN, Scene

pytestmark = [pytest.mark.long, pytest.mark.row(9, 10)]
GAP = 1.0
"""Seconds for which nothing may arrive when the switch is started again."""
SENT_AGAIN = 2 * GAP
"""Seconds. A sender of TCP waits twice as long each time it is not answered, so that it may find out late."""
A_PAUSE = 3.0
"""Seconds. ovs-vswitchd forwards nothing in its userspace datapath while it has lost its database, and looks for it
again at once, after 1 s and after 2 more.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a machine can be asked: `rate` in datagrams a second; `orphan_age`, in seconds, by when each container has
    started; `engine_up`, in seconds, for how long an engine may start that finds no agent.
    """

    rate: float
    orphan_age: int
    engine_up: float

    @property
    def options(self) -> tuple[str, ...]:
        return ("--set", f"orphan_age={self.orphan_age}", "--set", "orphan_period=1")

    @property
    def collected(self) -> float:
        """Seconds until what the engine forgot is gone."""
        return 3.0 * self.orphan_age


USUAL = Pace(rate=1000.0, orphan_age=20, engine_up=30.0)
SLOW = Pace(rate=200.0, orphan_age=90, engine_up=60.0)
"""A kernel machine has one processor, which also runs all that is made to happen: a program takes up to a second to
start there, and a container half a minute.
"""


class Scenes:
    """Gives one scene to a module's tests, and another one when the last of them has left it in ruins."""

    def __init__(self, rig: Rig, build: Callable[[], Host], pace: Pace, egress: str) -> None:
        self._rig, self._build, self.pace, self._egress = rig, build, pace, egress
        self._scene: Scene | None = None
        self.ruined = False

    def give(self) -> Scene:
        if self.ruined:
            self.discard()
        if self._scene is None:
            pace, outside = self.pace, Outside(self._rig.name)
            self._scene = Scene(self._build(), outside, pace.options, pace.rate, self._egress, pace.engine_up)
            self._scene.build()
        return self._scene

    def discard(self) -> None:
        if self._scene is not None:
            self._rig.discard(self._scene.host)
            self._scene, self.ruined = None, False


def scenes_on(
    rig: Rig, versions: dict[str, str], build: Callable[[], Host], pace: Pace, path: str, egress: str = "docker"
) -> Iterator[Scenes]:
    scenes = Scenes(rig, build, pace, egress)
    seen = scenes.give().host.versions
    versions.update({"Docker": seen.engine, "Open vSwitch": seen.ovs, "kernel": seen.kernel})
    versions.update({"datapath": path, "egress": egress})
    yield scenes
    scenes.discard()


@pytest.fixture(scope="module")
def scenes(rig: Rig, versions: dict[str, str]) -> Iterator[Scenes]:
    yield from scenes_on(rig, versions, rig.host, USUAL, "userspace (netdev)")


@pytest.fixture(scope="module")
def kernel_scenes(rig: Rig, versions: dict[str, str]) -> Iterator[Scenes]:
    yield from scenes_on(rig, versions, rig.kernel_host, SLOW, "kernel (system)")


@pytest.fixture(scope="module")
def newest_scenes(rig: Rig, versions: dict[str, str]) -> Iterator[Scenes]:
    # Docker's own published ports lose some fifty packets while an engine of this version starts.
    yield from scenes_on(rig, versions, lambda: SID.host(rig), USUAL, "userspace (netdev)", "nat")


@pytest.mark.parametrize("what", HAPPENINGS)
def test_survives(scenes: Scenes, what: str, figures: Figures) -> None:
    survives(scenes, what, figures)


@pytest.mark.kernel
@pytest.mark.parametrize("what", ON_ANY_HOST)
def test_survives_with_the_kernel_datapath(kernel_scenes: Scenes, what: str, figures: Figures) -> None:
    survives(kernel_scenes, what, figures)


@pytest.mark.matrix
@pytest.mark.parametrize("what", HAPPENINGS)
def test_survives_with_the_newest_engine_and_switch(newest_scenes: Scenes, what: str, figures: Figures) -> None:
    survives(newest_scenes, what, figures)


def survives(scenes: Scenes, what: str, figures: Figures) -> None:
    """Make it happen, note what was noticed, judge."""
    scene, event, pace = scenes.give(), HAPPENINGS[what], scenes.pace
    try:
        live_restore(scene.host, event.live_restore)
        before = scene.remains()
        figures["may be noticed"] = event.cost.value
        if event.cost is Cost.CONTAINERS:
            began = time.monotonic()
            event.happens(scene)
            wait_until(scene.reachable, BACK, "all containers run again and reach each other")
            figures["seconds until all containers answer"] = round(time.monotonic() - began, 1)
            figures["seconds until `ovsnet check` is clean"] = clean = scene.clean_after()
        else:
            with scene.traffic():
                event.happens(scene)
                figures["seconds until `ovsnet check` is clean"] = clean = scene.clean_after()
            note(scene, figures)
        assert clean <= CLEAN
        scene.left_as(before, same=not event.anew, deadline=pace.collected if event.orphans else CLEAN)
        assert scene.reachable()
        assert scene.passes()
        if event.cost is not Cost.CONTAINERS:
            judge(scene, event.cost)
    except BaseException:
        scenes.ruined = True  # it is there for the report; the next one does not get it
        raise


def note(scene: Scene, figures: Figures) -> None:
    seen = scene.seen
    assert seen is not None
    figures["packets lost between containers"] = f"{seen.pair.lost} of {seen.pair.sent}"
    figures["longest gap between containers, s"] = round(seen.pair.longest_gap, 2)
    figures["packets lost through a published port"] = f"{seen.published.lost} of {seen.published.sent}"
    figures["longest gap through a published port, s"] = round(seen.published.longest_gap, 2)
    figures["longest wait on a TCP connection, s"] = round(seen.stalled, 2)
    figures["TCP connection"] = seen.broken or "held"


def judge(scene: Scene, cost: Cost) -> None:
    seen = scene.seen
    assert seen is not None
    assert seen.broken == ""
    assert seen.answered > 0
    if cost is Cost.A_MOMENT:
        assert max(seen.pair.longest_gap, seen.published.longest_gap) < GAP
        assert seen.stalled < SENT_AGAIN
        return
    assert (seen.pair.lost, seen.published.lost) == (0, 0), (seen.pair.holes, seen.published.holes)
    assert seen.stalled < (A_PAUSE if cost is Cost.A_PAUSE else GAP)
