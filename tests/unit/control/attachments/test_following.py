"""Attachments go with their targets: back when those are, and forgotten when those are gone for good."""

import pytest

from tests.states import WEB
from tests.unit.control.attachments.desk import Desk

pytestmark = pytest.mark.row(28)


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.with_network(WEB)
    made.there.start("c1")
    return made


async def test_an_interface_goes_and_comes_with_its_container(desk: Desk) -> None:
    made = await desk.attach("c1", "--network web")
    desk.there.stop("c1")
    await desk.look()
    assert not desk.only.plugged
    assert not desk.state.endpoints[made.id].plugged
    assert desk.held() == {str(it.ip) for it in made.addresses}, "the address stays its own"

    sandbox = desk.there.start("c1")
    await desk.look()

    assert desk.only.sandbox == sandbox
    assert (desk.only.mac, desk.only.addresses) == (made.mac, made.addresses)
    assert desk.state.endpoints[made.id].plugged


async def test_a_restart_that_nobody_saw_is_noticed_by_the_namespace(desk: Desk) -> None:
    await desk.attach("c1", "--bridge lan")
    sandbox = desk.there.start("c1")
    await desk.look()
    assert desk.only.sandbox == sandbox


async def test_what_runs_is_left_alone_whatever_the_engine_does(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge lan")
    desk.there.away = True
    revision = desk.state.revision
    await desk.look()
    assert (desk.only, desk.state.revision) == (made, revision)


async def test_while_the_engine_is_away_a_dead_namespace_is_left(desk: Desk) -> None:
    await desk.attach("c1", "--bridge lan")
    desk.there.stop("c1")
    desk.there.away = True
    await desk.look()
    assert desk.only.sandbox == ""


async def test_a_container_that_is_removed_is_forgotten_with_all_it_had(desk: Desk) -> None:
    await desk.attach("c1", "--network web")
    await desk.attach("c1", "--bridge lan")
    desk.there.remove("c1")
    await desk.look()
    assert (desk.state.attachments, desk.state.endpoints, desk.held()) == ({}, {}, set())


async def test_a_container_that_does_not_run_gets_it_when_it_does(desk: Desk) -> None:
    desk.there.create("c2")
    made = await desk.attach("c2", "--bridge lan")
    assert (made.sandbox, desk.waited) == ("", [])
    desk.there.start("c2")
    await desk.look()
    assert desk.only.plugged


@pytest.mark.row(27)
async def test_a_new_name_is_taken_up(desk: Desk) -> None:
    await desk.attach("c1", "--network web")
    desk.there.containers["c1"] = desk.there.containers["c1"].__class__(
        desk.there.containers["c1"].id, "renamed", running=True, sandbox=desk.only.sandbox
    )
    await desk.look()
    assert desk.only.target.name == "renamed"
    assert desk.state.endpoints[desk.only.id].container_name == "renamed"


@pytest.mark.row(38)
async def test_a_process_is_watched_and_forgotten_when_it_ended(desk: Desk) -> None:
    desk.there.births["77"] = "first"
    desk.there.alive.add("/proc/77/ns/net")
    await desk.attach("pid:77", "--bridge lan")
    await desk.look()
    assert desk.watched == {"77"}
    desk.there.births["77"] = "another one with its number"
    await desk.look()
    assert (desk.state.attachments, desk.watched) == ({}, set())


@pytest.mark.row(38)
async def test_a_namespace_that_appears_again_gets_its_interface_again(desk: Desk) -> None:
    desk.there.alive.add("/run/netns/blue")
    made = await desk.attach("netns:blue", "--bridge lan")
    assert made.target.title == "netns:blue"
    desk.there.alive.discard("/run/netns/blue")
    await desk.look()
    assert not desk.only.plugged
    desk.there.alive.add("/run/netns/blue")
    await desk.look()
    assert desk.only.plugged


# ------------------------------------------------------------------ labels


def plugged(desk: Desk) -> tuple[bool, bool]:
    """The one attachment, and its endpoint."""
    return desk.only.plugged, desk.state.endpoints[desk.only.id].plugged


async def test_a_label_attaches_at_every_start_without_a_command(desk: Desk) -> None:
    desk.there.create("c2", lan="--bridge lan --ip 192.0.2.7/24 --ifname lan0", web="--network web")
    desk.there.start("c2")
    await desk.look()
    first = {it.ifname: it for it in desk.state.attachments.values()}
    assert first.keys() == {"lan0", "eth1"}
    desk.there.start("c2")
    await desk.look()
    second = {it.ifname: it for it in desk.state.attachments.values()}
    assert {name: it.mac for name, it in first.items()} == {name: it.mac for name, it in second.items()}
    assert all(it.plugged for it in second.values())


async def test_a_bad_label_is_a_warning_as_long_as_its_container_runs(desk: Desk) -> None:
    desk.there.create("c2", lan="--brigde lan")
    desk.there.start("c2")
    await desk.look()
    (warning,) = desk.following.warnings()
    assert warning.startswith("Container c2: label ovsnet.attach.lan cannot be followed: '--brigde' is not known")
    desk.there.stop("c2")
    await desk.look()
    assert desk.following.warnings() == ()


@pytest.mark.row(18)
async def test_what_a_label_attached_can_be_taken_away_until_the_next_start(desk: Desk) -> None:
    desk.there.create("c2", web="--network web")
    desk.there.start("c2")
    await desk.look()
    await desk.attachments.detach("c2", every=True)
    await desk.look()
    assert plugged(desk) == (False, False)
    desk.there.start("c2")
    await desk.look()
    assert plugged(desk) == (True, True)
    desk.there.remove("c2")
    await desk.look()
    assert (desk.state.attachments, desk.held()) == ({}, set())
