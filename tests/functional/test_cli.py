"""The command line as people start it, against a served agent and without one."""

import asyncio
import io
import json
import os
import pty
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec
import pytest
from tests.fakes.view import WELL, Values
from tests.functional.switch import Switch
from tests.states import TWO_NETWORKS

from ovsnet.api.schema import (
    CheckReport,
    EndpointInfo,
    Finding,
    ImportInfo,
    Lease,
    NetworkDetails,
    NetworkInfo,
    Settings,
    Status,
)
from ovsnet.api.server import serve
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.ids import pool_id
from ovsnet.observe.drift import compare

pytestmark = [pytest.mark.functional]

BIN = Path(sys.executable).parent
DEADLINE = 60.0
MISSING = compare("ports", {"ov1": "there"}, {})
POOL = Pool(pool_id("local", ip_network("10.20.0.0/24"), None), "local", ip_network("10.20.0.0/24"))
HELD = Allocation(POOL.id, ip_address("10.20.0.2"), AllocationKind.ENDPOINT, "c1", created_at=1.7e9)
STATE = replace(TWO_NETWORKS, pools={POOL.id: POOL}, allocations={HELD.key: HELD})

PLACES = ("ovsdb_socket", "ovs_run_dir", "docker_socket", "api_socket", "plugin_socket", "state_dir")

QUESTIONS = {
    "status": Status,
    "network ls": tuple[NetworkInfo, ...],
    "network inspect web": NetworkDetails,
    "ps": tuple[EndpointInfo, ...],
    "lease ls": tuple[Lease, ...],
    "imports": tuple[ImportInfo, ...],
    "check": CheckReport,
    "config": Settings,
}


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


async def run(*command: str, **environment: str) -> Said:
    """Run a program of this project."""
    env = {key: it for key, it in os.environ.items() if key != "OVSNET_API_SOCKET"} | environment
    process = await asyncio.create_subprocess_exec(
        BIN / command[0], *command[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


async def ovsnet(words: str, *more: str, at: str) -> Said:
    """`ovsnet WORDS`, with the agent at this socket."""
    return await run("ovsnet", *words.split(), *more, OVSNET_API_SOCKET=at)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        api_socket=str(tmp_path / "api.sock"),
        plugin_socket=str(tmp_path / "plugin.sock"),
        docker_socket=str(tmp_path / "docker.sock"),
        ovsdb_socket=str(tmp_path / "db.sock"),
        ovs_run_dir=str(tmp_path),
        state_dir=str(tmp_path),
    )


@pytest.fixture
async def agent(settings: Settings) -> AsyncIterator[str]:
    async with serve(Values(settings, STATE)):
        yield settings.api_socket


# ---------------------------------------------------------------- what is printed


@pytest.mark.row(89)
@pytest.mark.parametrize("words", QUESTIONS)
async def test_json_is_the_answer_of_the_api(agent: str, words: str) -> None:
    said = await ovsnet(words, "--json", at=agent)
    assert (said.code, said.err) == (0, "")
    understood: object = msgspec.json.decode(said.out, type=QUESTIONS[words])
    assert json.loads(msgspec.json.encode(understood)) == json.loads(said.out)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("status", "switch    Open vSwitch 3.5.0, userspace datapath, bridge br-ovsnet"),
        ("status", "pool      10.20.0.0/24 (web): 1 of 254 addresses used"),
        ("network ls", "b2b2b2b2b2b2  db    11   bridge  -     1500  veth  docker  -      10.30.0.0/24"),
        ("network inspect web", "gateways  10.20.0.1, fd00:20::1"),
        ("ps", "c1         web      -       10.20.0.2/24, fd00:20::2/64  0a:00:00:00:00:01"),
        ("lease ls", "10.20.0.2  10.20.0.0/24  -      endpoint  c1      held   2023-11-14T22:13:20Z"),
        ("check", "Clean: everything wanted is in force"),
        ("config", 'bridge = "br-ovsnet"'),
        ("version", "Open vSwitch 3.5.0"),
    ],
)
@pytest.mark.row(88)
async def test_people_get_aligned_text(agent: str, words: str, expected: str) -> None:
    said = await ovsnet(words, at=agent)
    assert (said.code, said.err) == (0, "")
    assert expected in said.out
    assert "\x1b" not in said.out


async def test_a_terminal_gets_a_drawn_table(agent: str) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "OVSNET_API_SOCKET": agent}
    process = await asyncio.create_subprocess_exec(BIN / "ovsnet", "ps", stdout=theirs, env=env)
    os.close(theirs)
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 0
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert "──" in drawn
    assert "0a:00:00:00:00:01" in drawn


async def test_empty_lists_say_what_to_do(settings: Settings) -> None:
    async with serve(Values(settings)):
        networks = await ovsnet("network ls", at=settings.api_socket)
        assert "docker network create" in networks.out
        assert (await ovsnet("ps", at=settings.api_socket)).out == "No container is on a network of ours.\n"
        assert (await ovsnet("lease ls", at=settings.api_socket)).out == "No address is in use.\n"


async def test_the_option_wins_over_the_variable(agent: str) -> None:
    said = await ovsnet("network ls", "--api-socket", agent, at="/nonexistent")
    assert said.code == 0


# ---------------------------------------------------------------- exit codes


@pytest.mark.row(88)
async def test_status_is_one_when_something_is_wrong(settings: Settings) -> None:
    async with serve(Values(settings, facts=replace(WELL, store_available=False))):
        said = await ovsnet("status", at=settings.api_socket)
    assert said.code == 1
    assert "PROBLEM   The store /var/lib/ovsnet/ovsnet.db takes no changes" in said.out


@pytest.mark.row(94)
async def test_check_is_one_when_something_differs(settings: Settings) -> None:
    async with serve(Values(settings, looks=(MISSING,))):
        said = await ovsnet("check", at=settings.api_socket)
        status = await ovsnet("status", at=settings.api_socket)
    assert said.code == 1
    assert said.out.splitlines()[1].split() == ["ports", "missing", "ov1", "there", "-"]
    assert status.code == 1
    assert "drift     1 resources not as wanted: 1 ports" in status.out


@pytest.mark.parametrize("words", [*QUESTIONS, "status --wait 0.2", "network inspect web --json"])
async def test_without_an_agent_one_sentence_says_so(tmp_path: Path, words: str) -> None:
    said = await ovsnet(words, at=str(tmp_path / "api.sock"))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("ovsnet: the agent is not available: nothing listens on ")
    assert "ovsnet agent" in said.err
    assert said.err.count("\n") == 1


async def test_version_works_without_an_agent(tmp_path: Path) -> None:
    said = await ovsnet("version", at=str(tmp_path / "api.sock"))
    assert (said.code, said.err) == (0, "")
    assert "agent        does not answer" in said.out
    found = json.loads((await ovsnet("version --json", at=str(tmp_path / "api.sock"))).out)
    assert (found["client"], found["agent"]) == ("0.1.0", None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("network inspect nothing", "ovsnet: network 'nothing' does not exist; known are: db, web\n"),
        ("doctor --set nonsense=1", "ovsnet: settings (/etc/ovsnet/ovsnet.toml): "),
        ("doctor --config /nonexistent", "ovsnet: settings file /nonexistent cannot be read: "),
        ("report -o /nonexistent/x", "ovsnet: /nonexistent/x cannot be written: No such file or directory; "),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(agent: str, words: str, sentence: str) -> None:
    said = await ovsnet(words, at=agent)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("words", ["nonsense", "status --nonsense", "network inspect", "status --wait x"])
async def test_a_wrong_command_is_refused(words: str) -> None:
    said = await run("ovsnet", *words.split())
    assert said.code == 2
    assert "Traceback" not in said.err


async def test_waiting_ends_when_the_agent_is_well(settings: Settings) -> None:
    starting = Values(settings, facts=replace(WELL, ready=False))
    waiting = asyncio.create_task(ovsnet("status --wait 50", at=settings.api_socket))
    async with serve(starting):
        # Only now, so that the command has met the absent, the starting and the ready agent.
        while not waiting.done() and starting.asked < 2:
            await asyncio.wait({waiting}, timeout=0.05)
        starting.facts = WELL
        said = await waiting
    assert said.code == 0


async def test_waiting_in_vain_ends_with_the_last_answer(settings: Settings) -> None:
    async with serve(Values(settings, facts=replace(WELL, ready=False))):
        said = await ovsnet("status --wait 0.3", at=settings.api_socket)
    assert said.code == 1
    assert "agent     starting" in said.out


# ---------------------------------------------------------------- doctor


async def doctor(settings: Settings, *more: str) -> tuple[int, dict[str, Finding]]:
    """The doctor's findings about this host, by subject."""
    options = [word for it in PLACES for word in ("--set", f"{it}={getattr(settings, it)}")]
    said = await run("ovsnet", "doctor", "--json", *options, *more)
    findings = msgspec.json.decode(said.out, type=tuple[Finding, ...])
    return said.code, {it.subject: it for it in findings}


def on(switch: Switch, settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, ovsdb_socket=str(switch.db_socket), ovs_run_dir=str(switch.run_dir))


@pytest.mark.row(97)
async def test_the_doctor_works_where_nothing_runs(settings: Settings) -> None:
    code, findings = await doctor(settings)
    assert code == 1
    bad = {it.subject for it in findings.values() if it.level == "problem"}
    assert bad == {"switch database", "ovs-vswitchd", "Docker engine", "plugin socket", "agent"}
    assert all(findings[it].remedy for it in bad)


@pytest.mark.row(97)
async def test_the_doctor_reads_a_real_switch(settings: Settings, switch: Switch) -> None:
    _, findings = await doctor(on(switch, settings))
    assert findings["ovs-vswitchd"].level == "ok"
    assert findings["switch database"].level == "ok"
    assert "netdev" in findings["datapath"].says
    assert "does not exist yet" in findings["bridge"].says


@pytest.mark.row(97)
async def test_the_doctor_finds_what_a_dead_agent_left(settings: Settings, switch: Switch) -> None:
    mark = "external_ids:ovsnet-owner=ovsnet"
    switch.vsctl("add-br", "br-ovsnet", "--", "set", "bridge", "br-ovsnet", "datapath_type=dummy", mark)
    switch.vsctl("add-port", "br-ovsnet", "ov1", "--", "set", "interface", "ov1", "type=dummy")
    switch.vsctl("set", "port", "ov1", mark, "--", "set", "port", "br-ovsnet", mark)
    _, findings = await doctor(on(switch, settings))
    assert findings["bridge"].says == "br-ovsnet is ours"
    assert findings["leftovers"].level == "warning"
    assert "1 port of ours" in findings["leftovers"].says


@pytest.mark.row(97)
async def test_the_doctor_sees_a_foreign_bridge_with_our_name(settings: Settings, switch: Switch) -> None:
    switch.vsctl("add-br", "br-ovsnet", "--", "set", "bridge", "br-ovsnet", "datapath_type=dummy")
    _, findings = await doctor(on(switch, settings))
    assert findings["bridge"].level == "problem"


async def test_the_doctor_knows_an_agent_that_runs(agent: str, settings: Settings) -> None:
    _, findings = await doctor(settings)
    assert findings["agent"].level == "ok"


async def test_the_doctor_speaks_to_people(settings: Settings) -> None:
    said = await run("ovsnet", "doctor", "--set", f"docker_socket={settings.docker_socket}")
    assert f"PROBLEM  Docker engine: no answer on {settings.docker_socket}: No such file" in said.out
    assert "         → start it" in said.out


# ---------------------------------------------------------------- report


@pytest.mark.row(89)
async def test_a_report_is_written_where_asked(agent: str, tmp_path: Path) -> None:
    said = await ovsnet("report -o", str(tmp_path / "r.tar.gz"), at=agent)
    assert said.code == 0
    with tarfile.open(tmp_path / "r.tar.gz") as archive:
        assert "ovsnet-report/status.json" in archive.getnames()


@pytest.mark.row(89)
async def test_without_an_agent_the_report_holds_what_the_host_tells(tmp_path: Path) -> None:
    said = await ovsnet("report -o", str(tmp_path / "r.tar.gz"), at=str(tmp_path / "api.sock"))
    assert said.code == 0
    assert "The report holds what this host alone tells" in said.err
    with tarfile.open(tmp_path / "r.tar.gz") as archive:
        assert {"ovsnet-report/agent.txt", "ovsnet-report/doctor.json"} <= set(archive.getnames())
        assert "ovsnet-report/status.json" not in archive.getnames()


async def test_a_report_can_go_into_a_pipe(agent: str) -> None:
    env = {**os.environ, "OVSNET_API_SOCKET": agent}
    process = await asyncio.create_subprocess_exec(BIN / "ovsnet", "report", "-o", "-", stdout=subprocess.PIPE, env=env)
    packed, _ = await process.communicate()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert "ovsnet-report/state.json" in archive.getnames()


# ---------------------------------------------------------------- processes and the Docker CLI


async def test_settings_are_listed() -> None:
    said = await run("ovsnet", "agent", "--help-settings")
    assert said.code == 0
    assert 'bridge = "br-ovsnet"\n    name of our bridge' in said.out


@pytest.mark.parametrize("verb", ["agent", "store"])
async def test_the_process_gets_the_options_and_explains_a_bad_one(verb: str, tmp_path: Path) -> None:
    said = await run("ovsnet", verb, "--config", str(tmp_path / "none.toml"))
    assert said.code != 0
    assert f"settings file {tmp_path}/none.toml cannot be read" in said.err
    assert "Traceback" not in said.err


@pytest.fixture
def docker_config(tmp_path: Path) -> Path:
    """A configuration of the Docker client in which our plugin is installed."""
    plugins = tmp_path / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-ovsnet").symlink_to(BIN / "docker-ovsnet")
    return plugins.parent


async def docker(config: Path, agent: str, *words: str) -> Said:
    """The real client of Docker, with our plugin."""
    return await run(str(shutil.which("docker")), *words, DOCKER_CONFIG=str(config), OVSNET_API_SOCKET=agent)


async def test_the_docker_client_runs_us_as_its_plugin(agent: str, docker_config: Path) -> None:
    said = await docker(docker_config, agent, "ovsnet", "ps", "--json")
    assert (said.code, said.err) == (0, "")
    assert {it["container"] for it in json.loads(said.out)} == {"c1", "c2", "c3", "c4"}


async def test_the_docker_client_passes_options_and_exit_codes(agent: str, docker_config: Path) -> None:
    good = await docker(docker_config, agent, "--context", "default", "ovsnet", "status")
    bad = await docker(docker_config, f"{agent}.not", "ovsnet", "status")
    assert (good.code, bad.code) == (0, 2)


async def test_the_docker_client_lists_us(docker_config: Path) -> None:
    said = await docker(docker_config, "", "--help")
    assert "ovsnet*" in said.out
    assert "Networks on Open vSwitch" in said.out


async def test_a_reader_that_goes_away_is_no_error_of_ours(agent: str) -> None:
    command = f"{BIN}/ovsnet ps --api-socket {agent} | true"
    process = await asyncio.create_subprocess_shell(command, stderr=subprocess.PIPE)
    _, err = await process.communicate()
    assert b"Traceback" not in err
