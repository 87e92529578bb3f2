"""The servers that were asked before we came: for every name that is not ours.

They are asked from the host's own network namespace. So a server on the host's loopback works as well, which the
engine has to leave out.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.inet
import structlog
from dns.message import Message
from dns.rcode import Rcode

from ovsnet.engine.daemonjson import DAEMON_JSON, HOST_FILES, dns_servers, nameservers
from ovsnet.model.errors import OvsnetError, Unavailable

ATTEMPT = 1.5
"""Seconds one server has."""
DEADLINE = 3.5
"""Seconds all of them have: the engine's resolver gives up on us after four."""
NEXT_MAY_KNOW = frozenset({Rcode.SERVFAIL, Rcode.REFUSED, Rcode.NOTIMP})
"""The server did not answer the question; another one may."""

log = structlog.get_logger("dns")


class Servers:
    """Whom to ask, in order: the other servers in the engine's settings, else the host's. Read again when changed."""

    def __init__(
        self,
        ourselves: Collection[str],
        *,
        resolv_conf: Path = HOST_FILES[0],
        daemon_json: Path = DAEMON_JSON,
    ) -> None:
        """`ourselves` are the addresses we answer on: asking those would never end."""
        self._ourselves = frozenset(ourselves)
        self._files = (daemon_json, resolv_conf)
        self._seen: tuple[object, ...] = ()
        self._servers: tuple[str, ...] = ()

    def __call__(self) -> Sequence[str]:
        """Their addresses."""
        seen = tuple(_stamp(it) for it in self._files)
        if seen != self._seen:
            self._seen = seen
            daemon_json, resolv_conf = self._files
            self._servers = self._others(_of_engine(daemon_json)) or self._others(_usable(resolv_conf))
            log.info("names that are not ours are asked for at", servers=list(self._servers))
        return self._servers

    def _others(self, servers: Sequence[str]) -> tuple[str, ...]:
        return tuple(it for it in dict.fromkeys(servers) if it not in self._ourselves)


class Upstream:
    """Asks them one after the other, beginning with the one that answered last."""

    def __init__(
        self,
        servers: Callable[[], Sequence[str]],
        *,
        port: int = 53,
        attempt: float = ATTEMPT,
        deadline: float = DEADLINE,
    ) -> None:
        self._servers = servers
        self._port = port
        self._attempt = attempt
        self._deadline = deadline
        self._best = ""

    async def ask(self, query: Message) -> Message:
        """The first answer, by UDP, or by TCP where it is too long for that. Unavailable when there is none in time.

        Where no server answers the question, what the last one said instead.
        """
        refused: Message | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deadline):
                for server in 2 * self._in_order():  # a datagram may be lost
                    reply = await self._try(server, query)
                    if reply is not None and reply.rcode() not in NEXT_MAY_KNOW:
                        self._best = server
                        return reply
                    refused = reply or refused
        if refused is None:
            raise Unavailable("upstream DNS", f"none of {', '.join(self._servers()) or '(no servers)'} answered")
        return refused

    def _in_order(self) -> list[str]:
        return sorted(self._servers(), key=lambda it: it != self._best)

    async def _try(self, server: str, query: Message) -> Message | None:
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(
                query,
                server,
                timeout=self._attempt,
                port=self._port,
                ignore_unexpected=True,
                ignore_errors=True,
            )
        except (dns.exception.DNSException, OSError, EOFError, ValueError):
            return None
        return reply


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _of_engine(path: Path) -> Sequence[str]:
    """What is unreadable names nobody: the engine itself does not start with it."""
    try:
        return dns_servers(path)
    except OvsnetError:
        return ()


def _usable(path: Path) -> Sequence[str]:
    """One line that is no address must not cost the others."""
    return [it for it in nameservers(path) if dns.inet.is_address(it)]
