"""Asks the agent. Used by the command line and the bench; standard library only: it starts fast."""

import http.client
import socket
from typing import TypeVar
from urllib.parse import quote

import msgspec

from ovsnet.api.schema import (
    CheckReport,
    EndpointInfo,
    ErrorBody,
    Lease,
    NetworkDetails,
    NetworkInfo,
    Settings,
    Status,
    VersionInfo,
)
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.observe.unixget import request

T = TypeVar("T")
TIMEOUT = 30.0
"""Seconds: longer than the slowest question (a report: a comparison and three programs, each with its own
deadline).
"""
BACKUP_TIMEOUT = 90.0
"""Seconds: a little longer than the agent gives itself for a copy."""
START = "start it with 'systemctl start ovsnet', or run 'ovsnet agent' as root"
_ERRORS: dict[int, type[OvsnetError]] = {400: BadRequest, 404: NotFound, 409: Conflict}


class Client:
    """One agent, by its API socket. Every question raises Unavailable when the agent does not answer."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout

    def status(self) -> Status:
        return self.ask("/v1/status", Status)

    def networks(self) -> tuple[NetworkInfo, ...]:
        return self.ask("/v1/networks", tuple[NetworkInfo, ...])

    def network(self, wanted: str) -> NetworkDetails:
        """By id, name or the beginning of an id; NotFound, or Conflict when several could be meant."""
        return self.ask(network_path(wanted), NetworkDetails)

    def endpoints(self) -> tuple[EndpointInfo, ...]:
        return self.ask("/v1/endpoints", tuple[EndpointInfo, ...])

    def leases(self) -> tuple[Lease, ...]:
        return self.ask("/v1/leases", tuple[Lease, ...])

    def check(self) -> CheckReport:
        return self.ask("/v1/check", CheckReport)

    def version(self) -> VersionInfo:
        return self.ask("/v1/version", VersionInfo)

    def config(self) -> Settings:
        return self.ask("/v1/config", Settings)

    def report(self) -> bytes:
        """The bundle, a gzip'ed tar file."""
        return self.body("/v1/report")

    def backup(self) -> bytes:
        """The cluster's database, as a standalone OVSDB database."""
        return self._request("GET", "/v1/cluster/backup", None, BACKUP_TIMEOUT)

    def ask(self, path: str, answer: type[T]) -> T:
        """The answer as a value."""
        return decode(self.body(path), answer)

    def body(self, path: str) -> bytes:
        """The answer as it came."""
        return self._request("GET", path, None)

    def order(self, path: str, order: object, answer: type[T], *, timeout: float | None = None) -> T:
        """Have the agent do something; errors as it tells them. `timeout`: seconds, for what takes longer."""
        return decode(self._request("POST", path, msgspec.json.encode(order), timeout), answer)

    def _request(self, method: str, path: str, content: bytes | None, timeout: float | None = None) -> bytes:
        try:
            status, body = request(self.path, method, path, content, timeout or self._timeout)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("the agent", _why(error, self.path)) from error
        if status != http.client.OK:
            raise _refusal(status, body)
        return body


def network_path(wanted: str) -> str:
    """Where a network is asked for; any text is allowed as its name."""
    return f"/v1/networks/{quote(wanted, safe='')}"


def decode(body: bytes, answer: type[T]) -> T:
    """The body as a value; Unavailable when the agent speaks another version of the API."""
    try:
        return msgspec.json.decode(body, type=answer)
    except msgspec.DecodeError as error:
        reason = f"its answer is not understood ({error}); is it another version? See 'ovsnet version'"
        raise Unavailable("the agent", reason) from error


def _why(error: Exception, path: str) -> str:
    if isinstance(error, PermissionError):
        return f"you may not use its socket {path}; run as root, or join the group in the setting api_group"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"nothing listens on {path}; {START}"
    if isinstance(error, TimeoutError | socket.timeout):
        return f"it did not answer on {path} in time; look into its log"
    return f"the connection to {path} broke ({error}); look into its log, or {START}"


def _refusal(status: int, body: bytes) -> OvsnetError:
    try:
        said = msgspec.json.decode(body, type=ErrorBody)
    except msgspec.DecodeError:
        said = ErrorBody(error=f"the agent answered with status {status} and no reason")
    sentence = f"{said.error}; {said.hint}" if said.hint else said.error
    return _ERRORS.get(status, OvsnetError)(sentence)
