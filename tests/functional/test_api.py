"""The API on a real socket, served from values."""

import asyncio
import grp
import io
import json
import os
import random
import socket
import stat
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.fakes.view import WELL, Orders, Values
from tests.functional.switch import Switch
from tests.states import DB, TWO_NETWORKS, WEB, WEB_ID, state

from ovsnet.api import openapi
from ovsnet.api.client import Client, network_path
from ovsnet.api.orders import Done, ForgetOrder, NetworkOrder
from ovsnet.api.routes import ROUTES
from ovsnet.api.schema import ErrorBody, Status
from ovsnet.api.server import serve
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.ids import NetworkId
from ovsnet.model.state import State
from ovsnet.observe.drift import compare
from ovsnet.observe.unixget import get
from ovsnet.pipeline.cookies import Feature, cookie
from ovsnet.settings import Settings

pytestmark = [pytest.mark.functional]

MISSING = compare("ports", {"ov1": "there"}, {})
OTHER = compare("ports", {"ov2": "there"}, {})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        api_socket=str(tmp_path / "run" / "api.sock"),
        plugin_socket=str(tmp_path / "plugin.sock"),
        docker_socket=str(tmp_path / "docker.sock"),
        ovsdb_socket=str(tmp_path / "db.sock"),
        ovs_run_dir=str(tmp_path),
        state_dir=str(tmp_path),
    )


@pytest.fixture
async def agent(settings: Settings) -> AsyncIterator[Client]:
    async with serve(Values(settings, TWO_NETWORKS)):
        yield Client(settings.api_socket)


async def ask(client: Client, target: str) -> tuple[int, bytes]:
    return await asyncio.to_thread(get, client.path, target, 20.0)


async def raw(path: str, request: bytes, patience: float = 10.0) -> bytes:
    """What the server says to these bytes until it closes or `patience` seconds are over."""
    said = b""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(patience):
            while more := await reader.read(65536):
                said += more
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return said


# ---------------------------------------------------------------- answers


@pytest.mark.row(92)
@pytest.mark.parametrize("route", [it for it in ROUTES if "{" not in it.path and it.answer is not bytes])
async def test_every_answer_is_of_the_declared_type(agent: Client, route: object) -> None:
    assert isinstance(route, type(ROUTES[0]))
    status, body = await ask(agent, route.path)
    assert status == 200
    # Encoding what was understood gives the same bytes: no field is left out, none is undeclared.
    assert msgspec.json.encode(msgspec.json.decode(body, type=route.answer)) == body


@pytest.mark.row(92)
async def test_the_served_document_is_the_generated_one(agent: Client) -> None:
    _, body = await ask(agent, openapi.PATH)
    assert json.loads(body) == json.loads(json.dumps(openapi.document()))


@pytest.mark.row(92)
async def test_every_documented_path_answers(agent: Client) -> None:
    for path, verbs in openapi.document()["paths"].items():
        if "get" in verbs:
            status, _ = await ask(agent, path.replace("{network}", "web"))
            assert status == 200, path


# ---------------------------------------------------------------- orders


async def order(client: Client, path: str, content: object) -> Done:
    return await asyncio.to_thread(client.order, path, content, Done)


async def test_an_order_arrives_as_it_was_given(settings: Settings) -> None:
    values = Values(settings)
    async with serve(values):
        client = Client(settings.api_socket)
        assert (await order(client, "/v1/cluster/forget", ForgetOrder(host="h2"))).message == "done."
        await order(client, f"{network_path('a/b')}/remove", NetworkOrder())
    assert values.orders.given == [ForgetOrder(host="h2"), "a/b"]


async def test_a_refused_order_says_why(settings: Settings) -> None:
    async with serve(Values(settings, orders=Orders(Conflict("host h2 lives; use --force")))):
        with pytest.raises(Conflict, match="host h2 lives"):
            await order(Client(settings.api_socket), "/v1/cluster/forget", ForgetOrder(host="h2"))


@pytest.mark.parametrize("content", [{"hosts": "h2"}, {"host": 2}, {}, [], "text"])
async def test_an_order_that_cannot_be_read_is_refused_and_reaches_nobody(settings: Settings, content: object) -> None:
    values = Values(settings)
    async with serve(values):
        with pytest.raises(BadRequest, match="cannot be read"):
            await order(Client(settings.api_socket), "/v1/cluster/forget", content)
    assert values.orders.given == []


@pytest.mark.parametrize("wanted", ["web", WEB.id, WEB.id[:12]])
async def test_a_network_is_found_by_name_id_and_beginning(agent: Client, wanted: str) -> None:
    found = await asyncio.to_thread(agent.network, wanted)
    assert found.network.name == "web"
    assert [it.container for it in found.endpoints] == ["c1", "c2"]


async def test_a_name_may_hold_any_character(settings: Settings) -> None:
    for name in ("a/b", "ä ö", "50%", "?x=1", "..", "a%2Fb"):
        async with serve(Values(settings, state(replace(WEB, name=name)))):
            found = await asyncio.to_thread(Client(settings.api_socket).network, name)
            assert found.network.name == name


async def test_an_unknown_network_is_not_found_and_the_known_ones_are_named(agent: Client) -> None:
    status, body = await ask(agent, network_path("nothing"))
    assert status == 404
    assert msgspec.json.decode(body, type=ErrorBody).error.endswith("known are: db, web")
    with pytest.raises(NotFound, match="does not exist"):
        await asyncio.to_thread(agent.network, "nothing")


async def test_an_ambiguous_name_is_a_conflict(settings: Settings) -> None:
    twin = replace(WEB, id=NetworkId("c3" * 32))
    async with serve(Values(settings, state(WEB, twin))):
        with pytest.raises(Conflict, match="could be any of"):
            await asyncio.to_thread(Client(settings.api_socket).network, "web")


async def test_an_unknown_path_is_refused_with_a_hint(agent: Client) -> None:
    status, body = await ask(agent, "/v1/nonsense")
    refusal = msgspec.json.decode(body, type=ErrorBody)
    assert (status, refusal.error) == (404, "GET /v1/nonsense: Not Found")
    assert openapi.PATH in refusal.hint


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(agent: Client, method: str) -> None:
    request = f"{method} /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    answer = await raw(agent.path, request.encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET,HEAD\r\n" in answer


# ---------------------------------------------------------------- drift and trouble


async def test_drift_is_named_piece_by_piece(settings: Settings) -> None:
    async with serve(Values(settings, looks=((*MISSING, *OTHER),))):
        client = Client(settings.api_socket)
        report = await asyncio.to_thread(client.check)
        assert (report.clean, report.items) == (False, (*MISSING, *OTHER))


async def test_drift_makes_the_status_bad(settings: Settings) -> None:
    async with serve(Values(settings, looks=(MISSING,))):
        status = await asyncio.to_thread(Client(settings.api_socket).status)
    assert (status.healthy, status.drift.total) == (False, 1)


async def test_a_host_that_cannot_be_read_leaves_drift_unknown(settings: Settings) -> None:
    async with serve(Values(settings, looks=(Unavailable("Open vSwitch", "connection refused"),))):
        client = Client(settings.api_socket)
        status = await asyncio.to_thread(client.status)
        assert not status.drift.known
        with pytest.raises(OvsnetError, match="Open vSwitch is not available: connection refused"):
            await asyncio.to_thread(client.check)
        assert (await ask(client, "/v1/check"))[0] == 503


async def test_a_starting_agent_is_not_asked_for_drift(settings: Settings) -> None:
    starting = Values(settings, facts=replace(WELL, ready=False), looks=(RuntimeError("too early"),))
    async with serve(starting):
        status = await asyncio.to_thread(Client(settings.api_socket).status)
    assert (status.ready, status.healthy, status.drift.known) == (False, False, False)


async def test_a_fault_of_ours_is_one_refused_request(settings: Settings) -> None:
    async with serve(Values(settings, looks=(RuntimeError("broken"),))):
        client = Client(settings.api_socket)
        status, body = await ask(client, "/v1/check")
        assert status == 500
        assert "RuntimeError: broken" in msgspec.json.decode(body, type=ErrorBody).error
        assert (await ask(client, "/v1/networks"))[0] == 200


# ---------------------------------------------------------------- the socket


def place_for(settings: Settings) -> Path:
    """The path of the socket, in a folder that exists."""
    path = Path(settings.api_socket)
    path.parent.mkdir()
    return path


def put(path: Path, text: str) -> None:
    path.write_text(text)


def text_of(path: Path) -> str:
    return path.read_text()


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def is_socket(path: Path) -> bool:
    return path.is_socket()


def move(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.row(93)
async def test_only_root_may_use_the_socket(agent: Client) -> None:
    assert mode(agent.path) == 0o600
    assert mode(str(Path(agent.path).parent)) == 0o755


@pytest.mark.row(93)
async def test_a_group_may_use_it_when_told_so(settings: Settings) -> None:
    group = grp.getgrgid(1).gr_name
    async with serve(Values(msgspec.structs.replace(settings, api_group=group))):
        assert mode(settings.api_socket) == 0o660
        assert os.stat(settings.api_socket).st_gid == 1


async def test_an_unknown_group_is_refused_by_name(settings: Settings) -> None:
    with pytest.raises(BadRequest, match="groupadd nobodys"):
        async with serve(Values(msgspec.structs.replace(settings, api_group="nobodys"))):
            pass


async def test_the_file_of_a_killed_agent_is_replaced(settings: Settings) -> None:
    path = place_for(settings)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with serve(Values(settings)):
        assert (await ask(Client(settings.api_socket), "/v1/version"))[0] == 200
    assert left_in(path.parent) == []


async def test_a_second_agent_is_refused_and_harms_nothing(agent: Client, settings: Settings) -> None:
    with pytest.raises(Conflict, match="another agent answers"):
        async with serve(Values(settings)):
            pass
    assert (await ask(agent, "/v1/version"))[0] == 200


async def test_a_file_in_the_way_is_not_touched(settings: Settings) -> None:
    path = place_for(settings)
    put(path, "mine")
    with pytest.raises(Conflict, match="is not a socket"):
        async with serve(Values(settings)):
            pass
    assert text_of(path) == "mine"


async def test_the_socket_of_a_successor_is_left_alone(settings: Settings) -> None:
    path = Path(settings.api_socket)
    async with serve(Values(settings)):
        move(path, "old.sock")
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
    assert is_socket(path)


async def test_a_path_that_cannot_be_a_socket_is_refused(settings: Settings) -> None:
    long = msgspec.structs.replace(settings, api_socket=f"{settings.api_socket}{'x' * 120}")
    with pytest.raises(Unavailable, match="see the setting api_socket"):
        async with serve(Values(long)):
            pass


# ---------------------------------------------------------------- report


def unpacked(bundle: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        files = {it.name: archive.extractfile(it) for it in archive.getmembers()}
        return {name.rpartition("/")[2]: it.read().decode() for name, it in files.items() if it is not None}


@pytest.mark.row(89)
async def test_the_report_holds_everything_and_no_secrets(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "environment-secret")
    labelled = replace(WEB, labels=(("password", "label-secret"),))
    wanted: State = replace(TWO_NETWORKS, networks={WEB_ID: labelled, DB.id: DB})
    async with serve(Values(settings, wanted, looks=(MISSING,), log=("first", "last"))):
        files = unpacked(await asyncio.to_thread(Client(settings.api_socket).report))
    assert {
        *(
            "status.json",
            "state.json",
            "check.json",
            "endpoints.json",
            "config.json",
            "version.json",
            "cluster.json",
            "members.json",
            "doctor.json",
        ),
        *("rules-egress.nft", "rules-tunnels.nft"),
        *("flows.txt", "groups.txt", "ovsdb-bridge.json", "ovsdb-port.json", "ovsdb-interface.json"),
        *("log.txt", "host.txt"),
    } == set(files)
    assert files["log.txt"] == "first\nlast\n"
    assert json.loads(files["check.json"])["items"][0]["key"] == "ov1"
    assert len(json.loads(files["state.json"])["endpoints"]) == 4
    assert "(left out)" in files["state.json"]
    assert not any("secret" in text for text in files.values())


@pytest.mark.row(89)
async def test_the_report_holds_our_rows_and_flows_and_no_foreign_ones(settings: Settings, switch: Switch) -> None:
    mark = ["--", "set", "bridge", "br-ovsnet", "external_ids:ovsnet-owner=ovsnet"]
    switch.vsctl("add-br", "br-ovsnet", "--", "set", "bridge", "br-ovsnet", "datapath_type=dummy", *mark)
    switch.vsctl("add-br", "br-foreign", "--", "set", "bridge", "br-foreign", "datapath_type=dummy")
    ours = f"cookie={cookie(Feature.GUARD, 77):#x},priority=5,actions=drop"
    switch.call("ovs-ofctl", "add-flow", f"unix:{switch.run_dir}/br-ovsnet.mgmt", ours)
    switch.call("ovs-ofctl", "add-flow", f"unix:{switch.run_dir}/br-ovsnet.mgmt", "priority=6,ip,actions=drop")
    here = msgspec.structs.replace(settings, ovsdb_socket=str(switch.db_socket), ovs_run_dir=str(switch.run_dir))
    async with serve(Values(here, TWO_NETWORKS)):
        files = unpacked(await asyncio.to_thread(Client(settings.api_socket).report))
    assert "priority=5 actions=drop" in files["flows.txt"]
    assert "priority=6" not in files["flows.txt"]
    assert "br-ovsnet" in files["ovsdb-bridge.json"]
    assert not any("br-foreign" in text for text in files.values())


# ---------------------------------------------------------------- fuzz


def batched(items: list[bytes], size: int) -> list[list[bytes]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def nonsense(chance: random.Random) -> bytes:
    """A request that is wrong in one way or several."""
    method = chance.choice(["GET", "POST", "get", "", "\x00", "GET" * 50, "HEAD", "OPTIONS", "PRI"])
    path = chance.choice(
        [
            "/v1/status",
            "/v1/networks/%ff%fe",
            "/v1/networks/" + "a" * 9000,
            "/../..",
            "*",
            "http://[",
            "/v1/%",
            "/\r\n",
        ]
    )
    version = chance.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "\xff"])
    length = chance.choice(["5", "-1", "99999999999999999999", "x", "0x10"])
    headers = chance.choice(
        [
            "Host: x",
            "Host",
            f"Content-Length: {length}",
            "Transfer-Encoding: chunked",
            "X: " + "y" * 20000,
            "Upgrade: websocket\r\nConnection: Upgrade",
            "Expect: 100-continue",
            ": :",
        ]
    )
    body = chance.randbytes(chance.choice([0, 5, 3000]))
    return f"{method} {path} {version}\r\n{headers}\r\n\r\n".encode("latin-1") + body


@pytest.mark.row(92)
async def test_nonsense_leaves_the_agent_alive(agent: Client) -> None:
    chance = random.Random(20)
    requests = [nonsense(chance) for _ in range(250)] + [chance.randbytes(200) for _ in range(50)]
    for some in batched(requests, 25):
        # An incomplete request gets no answer; those that get one get it at once.
        answers = await asyncio.gather(*(raw(agent.path, it, patience=0.2) for it in some))
        assert not [it for it in answers if it.startswith(b"HTTP/1.1 5")]
    assert (await asyncio.to_thread(agent.status)).healthy


async def test_an_oversized_body_is_not_swallowed(agent: Client) -> None:
    head = b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\nConnection: close\r\n\r\n"
    answer = await raw(agent.path, head + bytes(1 << 16))
    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_a_client_that_says_nothing_hinders_nobody(agent: Client) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(agent.path)
        silent.sendall(b"GET /v1/sta")
        status, body = await ask(agent, "/v1/status")
    assert status == 200
    assert msgspec.json.decode(body, type=Status).ready


# ---------------------------------------------------------------- the client


async def test_an_absent_agent_is_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nothing listens on .*; start it with"):
        Client(str(tmp_path / "no.sock")).status()


async def test_an_agent_of_another_version_is_said_to_be_that(agent: Client) -> None:
    body = await asyncio.to_thread(agent.body, "/v1/networks")
    assert body.startswith(b"[")
    with pytest.raises(Unavailable, match="is it another version"):
        await asyncio.to_thread(agent.ask, "/v1/networks", Status)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-nonsense\r\n", "the connection to .* broke"),
        (b"", "the connection to .* broke"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad", "status 502 and no reason"),
    ],
)
async def test_something_else_on_the_socket_is_explained(tmp_path: Path, answer: bytes, words: str) -> None:
    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    path = str(tmp_path / "api.sock")
    async with await asyncio.start_unix_server(impostor, path):
        with pytest.raises(OvsnetError, match=words):
            await asyncio.to_thread(Client(path).status)


async def test_an_agent_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(path)
        hanging.listen()
        with pytest.raises(Unavailable, match=r"did not answer on .* in time"):
            await asyncio.to_thread(Client(path, timeout=0.2).status)
