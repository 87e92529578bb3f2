"""The server on real sockets, asked by the library's own client; what is not ours by a second, real server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from random import Random

import dns.asyncquery
import dns.flags
import dns.message
import dns.rrset
import pytest
from dns.message import Message
from dns.rcode import Rcode

from ovsnet.dns import server as dns_server
from ovsnet.dns.replies import Responder
from ovsnet.dns.server import Server
from ovsnet.dns.tables import ClusterNames, LocalNames, Scope
from ovsnet.dns.upstream import Servers, Upstream
from ovsnet.dns.zone import Answer, Asker, Verdict, Zone
from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.model.state import State

DEADLINE = 10.0
CONTAINER = "127.0.0.1"
"""Who asks: the only one who can, over the loopback."""
Rule = Callable[[Message], Message | None]


class LoopbackZone(Zone):
    """Knows one network with the names c1 and many; 127.0.0.1 is a container on it."""

    def __init__(self) -> None:
        nobody = ClusterNames(Cluster(), here=HostName("a"), dead=frozenset(), domain="ovsnet.internal")
        super().__init__(LocalNames(State()), nobody, domain="ovsnet.internal")

    def asker(self, source: IpAddress) -> Asker | None:
        return Asker(frozenset({Scope("web")})) if str(source) == CONTAINER else None

    def lookup(self, name: str, kind: object, asker: Asker | None) -> Answer:
        known = {"c1": ("10.20.0.2",), "many": tuple(f"10.20.1.{it}" for it in range(1, 200))}
        if asker is None or name not in known:
            return Answer(Verdict.NOT_OURS)
        return Answer(Verdict.FOUND, tuple(ip_address(it) for it in known[name]))


def sockets(port: int = 0) -> tuple[socket.socket, socket.socket]:
    """A datagram and a stream socket on one port of the loopback."""
    streams = socket.create_server(("127.0.0.1", port))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(streams.getsockname())
    datagrams.setblocking(False)
    return datagrams, streams


class Outside:
    """A server of the world outside: says what its rule says, and counts who asks."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.datagrams, self.streams = sockets()
        self.port = int(self.streams.getsockname()[1])
        self.asked: list[str] = []

    def _reply(self, octets: bytes, *, size: int) -> bytes | None:
        query = dns.message.from_wire(octets)
        self.asked.append(str(query.question[0].name))
        reply = self.rule(query)
        return None if reply is None else reply.to_wire(max_size=size, prefer_truncation=True)

    async def serve_datagrams(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            octets, sender = await loop.sock_recvfrom(self.datagrams, 65535)
            if (reply := self._reply(octets, size=512)) is not None:
                await loop.sock_sendto(self.datagrams, reply, sender)

    async def answer_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError):
            octets = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            if (reply := self._reply(octets, size=65535)) is not None:
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()
        writer.close()


def answered(query: Message, *addresses: str) -> Message:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", "A", addresses))
    return reply


def refused(query: Message, rcode: Rcode) -> Message:
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    return reply


@asynccontextmanager
async def world(rule: Rule = lambda it: answered(it, "192.0.2.7")) -> AsyncIterator[Outside]:
    outside = Outside(rule)
    listening = await asyncio.start_server(outside.answer_stream, sock=outside.streams)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(outside.serve_datagrams())
        try:
            yield outside
        finally:
            serving.cancel()
            listening.close()
            outside.datagrams.close()


@asynccontextmanager
async def ours(outside: Outside, *, attempt: float = 2.0) -> AsyncIterator[int]:
    """Our server, asking the world outside; its port."""
    zone = LoopbackZone()
    responder = Responder(lambda: zone, domain="ovsnet.internal", chance=Random(1))
    upstream = Upstream(lambda: ["127.0.0.1"], port=outside.port, attempt=attempt, deadline=2 * attempt)
    datagrams, streams = sockets()
    port = int(streams.getsockname()[1])
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(Server(responder, upstream).serve(datagrams, streams))
        try:
            yield port
        finally:
            serving.cancel()


async def by_udp(port: int, name: str, kind: str = "A", **options: int) -> Message:
    query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
    return await dns.asyncquery.udp(query, "127.0.0.1", DEADLINE, port)


async def by_tcp(port: int, name: str) -> Message:
    return await dns.asyncquery.tcp(dns.message.make_query(name, "A"), "127.0.0.1", DEADLINE, port)


def texts(message: Message) -> set[str]:
    return {str(it) for rrset in message.answer for it in rrset}


@pytest.mark.row(79)
async def test_a_name_of_ours_is_answered_over_both_transports_and_nobody_else_is_asked() -> None:
    async with world() as outside, ours(outside) as port:
        assert texts(await by_udp(port, "c1")) == {"10.20.0.2"}
        assert texts(await by_tcp(port, "c1")) == {"10.20.0.2"}
        assert outside.asked == []


@pytest.mark.row(82)
async def test_what_is_not_ours_is_answered_by_others() -> None:
    async with world() as outside, ours(outside) as port:
        assert texts(await by_udp(port, "www.Example.com")) == {"192.0.2.7"}
        assert texts(await by_tcp(port, "example.org")) == {"192.0.2.7"}
        assert outside.asked == ["www.Example.com.", "example.org."]


async def test_a_long_answer_is_cut_for_udp_and_whole_over_tcp() -> None:
    async with world() as outside, ours(outside) as port:
        short = await dns.asyncquery.udp(dns.message.make_query("many", "A"), "127.0.0.1", DEADLINE, port)
        assert short.flags & dns.flags.TC
        assert len((await by_udp(port, "many", use_edns=0, payload=4096)).to_wire()) <= 1232
        assert len(texts(await by_tcp(port, "many"))) == 199


async def test_a_long_answer_of_others_is_fetched_over_tcp_and_cut_for_who_cannot_take_it() -> None:
    many = [f"192.0.2.{it}" for it in range(1, 200)]
    async with world(lambda it: answered(it, *many)) as outside, ours(outside) as port:
        assert (await by_udp(port, "example.com")).flags & dns.flags.TC
        assert texts(await by_tcp(port, "example.com")) == set(many)


@pytest.mark.parametrize("rcode", [Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.REFUSED])
async def test_what_others_refuse_is_refused_in_their_words(rcode: Rcode) -> None:
    async with world(lambda it: refused(it, rcode)) as outside, ours(outside) as port:
        assert (await by_udp(port, "example.com")).rcode() == rcode


async def test_silence_of_others_is_told_in_time() -> None:
    async with world(lambda _: None) as outside, ours(outside, attempt=0.05) as port:
        assert (await by_udp(port, "example.com")).rcode() == Rcode.SERVFAIL


async def test_one_lost_datagram_is_repeated() -> None:
    async with world() as outside, ours(outside, attempt=0.2) as port:
        outside.rule = lambda it: answered(it, "192.0.2.7") if len(outside.asked) > 1 else None
        assert texts(await by_udp(port, "example.com")) == {"192.0.2.7"}


async def test_who_waits_for_others_does_not_hold_up_what_is_ours() -> None:
    async with world(lambda _: None) as outside, ours(outside) as port, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(by_udp(port, f"slow{it}.example")) for it in range(20)]
        assert texts(await by_udp(port, "c1")) == {"10.20.0.2"}
        assert not any(it.done() for it in waiting)
        for it in waiting:
            it.cancel()


async def test_too_many_open_questions_of_one_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "MAX_WAITING_OF_ONE", 3)
    async with world(lambda _: None) as outside, ours(outside) as port, asyncio.TaskGroup() as tasks:
        waiting = {tasks.create_task(by_udp(port, f"slow{it}.example")) for it in range(5)}
        refusals, open_ = await asyncio.wait(waiting, timeout=1.0)
        assert [it.result().rcode() for it in refusals] == [Rcode.SERVFAIL] * 2
        for it in open_:
            it.cancel()


async def test_too_many_connections_of_one_are_closed_and_later_ones_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "MAX_CONNECTIONS_OF_ONE", 2)
    async with world() as outside, ours(outside) as port:
        first = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        query = dns.message.make_query("c1", "A").to_wire()
        for reader, writer in first:
            writer.write(len(query).to_bytes(2) + query)
            await reader.readexactly(2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        for _, it in first:
            it.close()
        async with asyncio.timeout(DEADLINE):
            while True:
                with suppress(OSError, EOFError):
                    assert texts(await by_tcp(port, "c1")) == {"10.20.0.2"}
                    break


async def test_questions_follow_each_other_on_one_connection() -> None:
    async with world() as outside, ours(outside) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for name in ("c1", "example.com", "c1"):
            query = dns.message.make_query(name, "A")
            writer.write(len(query.to_wire()).to_bytes(2) + query.to_wire())
            octets = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            assert query.is_response(dns.message.from_wire(octets))
        writer.close()


async def test_rubbish_is_passed_over_and_the_next_question_answered() -> None:
    async with world() as outside, ours(outside) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rude:
            for octets in (b"", b"\0", bytes(11), b"\xff" * 40, dns.message.make_query("c1", "A").to_wire()[:-3]):
                rude.sendto(octets, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\0\x05junk!")
        assert await reader.read() == b""
        writer.close()
        assert texts(await by_udp(port, "c1")) == {"10.20.0.2"}


async def test_a_reply_sent_to_us_is_not_replied_to() -> None:
    async with world() as outside, ours(outside) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.sendto(answered(dns.message.make_query("c1", "A"), "1.1.1.1").to_wire(), ("127.0.0.1", port))
            await by_udp(port, "c1")
            with pytest.raises(BlockingIOError):
                peer.recv(512)


async def test_the_next_server_is_asked_and_remembered_while_the_first_is_silent() -> None:
    async with world() as outside:
        # Nobody listens on the first.
        upstream = Upstream(lambda: ["127.0.0.2", "127.0.0.1"], port=outside.port, attempt=1.0, deadline=4.0)
        for _ in range(2):
            assert texts(await upstream.ask(dns.message.make_query("example.com", "A"))) == {"192.0.2.7"}
        assert upstream._in_order()[0] == "127.0.0.1"  # noqa: SLF001


# ---------------------------------------------------------------- whom to ask


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "resolv.conf", tmp_path / "daemon.json"


def test_the_hosts_servers_are_read_again_when_they_change(files: tuple[Path, Path]) -> None:
    resolv_conf, daemon_json = files
    servers = Servers(["169.254.83.83"], resolv_conf=resolv_conf, daemon_json=daemon_json)
    assert servers() == ()
    resolv_conf.write_text("nameserver 192.0.2.1\nnameserver 127.0.0.53\n")
    assert servers() == ("192.0.2.1", "127.0.0.53")
    resolv_conf.write_text("nameserver 192.0.2.2\n")
    assert servers() == ("192.0.2.2",)


def test_a_line_that_is_no_address_costs_only_itself(files: tuple[Path, Path]) -> None:
    resolv_conf, daemon_json = files
    resolv_conf.write_bytes(b"# caf\xe9\nnameserver nowhere\nnameserver fe80::1%eth0\noptions\nnameserver 192.0.2.1\n")
    servers = Servers(["169.254.83.83"], resolv_conf=resolv_conf, daemon_json=daemon_json)
    assert servers() == ("fe80::1%eth0", "192.0.2.1")


def test_the_engines_other_servers_come_before_the_hosts_and_we_are_never_asked(files: tuple[Path, Path]) -> None:
    resolv_conf, daemon_json = files
    resolv_conf.write_text("nameserver 169.254.83.83\nnameserver 192.0.2.2\n")
    daemon_json.write_text('{"dns": ["169.254.83.83", "192.0.2.1"]}')
    servers = Servers(["169.254.83.83"], resolv_conf=resolv_conf, daemon_json=daemon_json)
    assert servers() == ("192.0.2.1",)
    daemon_json.write_text('{"dns": ["169.254.83.83"]}')
    assert servers() == ("192.0.2.2",)
    daemon_json.write_text("broken")
    assert servers() == ("192.0.2.2",)
