"""The engine's settings file, daemon.json: our name server first in its "dns", and out again.

Only the one value is written; everything around it stays as it is, byte for byte. What the file was before is kept
aside, so that taking our address out gives back the very same file, unless somebody else changed it in between. The
engine reads "dns" when it starts, and never else: every change needs a restart of the engine.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from json.decoder import JSONDecoder
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from ovsnet.model.errors import BadRequest, Conflict

KEY = "dns"
DAEMON_JSON = Path("/etc/docker/daemon.json")
PID_FILE = Path("/run/docker.pid")
HOST_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Where the host's name servers are; the second one where the first knows only one on the loopback."""
MODE = 0o644
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of the outermost object: its key, its value, and where in the text they are."""

    key: str
    value: Any
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class DaemonJson:
    """The file at `path`; `aside` is where its text before our change is kept."""

    path: Path
    aside: Path

    def servers(self) -> tuple[str, ...]:
        """What "dns" names now; BadRequest when the file cannot be understood."""
        return dns_servers(self.path)

    def put_first(self, address: str, fallback: Sequence[str] = ()) -> bool:
        """Make `address` the first of the servers; True when the engine has to be restarted for it.

        Where none were named, `fallback` are named after it: otherwise nothing would resolve while we are away.
        BadRequest for a file that cannot be understood, and nothing is written.
        """
        before = _read(self.path)
        after = with_first(before or "", address, fallback, where=str(self.path))
        if after == before:
            return False
        if not self.aside.exists():
            _write(self.aside, json.dumps({"before": before, "after": after}))
        _write(self.path, after)
        return True

    def take_out(self, address: str) -> bool:
        """Have `address` not among the servers; True when the engine has to be restarted for it.

        The whole text of before comes back where nobody has changed the file since.
        """
        now = _read(self.path)
        kept = self._kept()
        if now is None or address not in servers_in(now, where=str(self.path)):
            self.aside.unlink(missing_ok=True)
            return False
        if kept is not None and kept.get("after") == now:
            _restore(self.path, kept.get("before"))
        else:
            _write(self.path, without(now, address, where=str(self.path)))
        self.aside.unlink(missing_ok=True)
        return True

    def _kept(self) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            kept = json.loads(self.aside.read_text())
            return kept if isinstance(kept, dict) else None
        return None


def dns_servers(path: Path = DAEMON_JSON) -> tuple[str, ...]:
    """The servers that "dns" in this file names; BadRequest when it cannot be understood."""
    return servers_in(_read(path) or "", where=str(path))


def nameservers(path: Path) -> Iterator[str]:
    """The addresses of a resolv.conf(5), as they stand there; none of a file that cannot be read."""
    with suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            match line.split():
                case ["nameserver", address, *_]:
                    yield address


def host_servers(files: Sequence[Path] = HOST_FILES) -> tuple[str, ...]:
    """The host's name servers that a container can reach as well: the `fallback` of `put_first`."""
    for path in files:
        found = tuple(it for it in nameservers(path) if not _is_loopback(it))
        if found:
            return found
    return ()


def refuse_flag(pid_file: Path = PID_FILE) -> None:
    """Conflict when the running engine got --dns on its command line: with "dns" in the file it would not start."""
    try:
        arguments = Path("/proc", pid_file.read_text().strip(), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return
    if any(it == b"--dns" or it.startswith(b"--dns=") for it in arguments):
        raise Conflict(
            "the Docker engine is started with --dns on its command line and refuses to start when its settings file "
            'names "dns" as well; move these servers into the file and take the option away first'
        )


# ---------------------------------------------------------------- the text, pure


def servers_in(text: str, *, where: str) -> tuple[str, ...]:
    """The servers named in this text; BadRequest says what is wrong with it, and calls it `where`."""
    member = _named(_members(text, where), KEY) if text.strip() else None
    return () if member is None else _servers(member, where)


def with_first(text: str, address: str, fallback: Sequence[str], *, where: str) -> str:
    """The text with `address` as the first server. The same text where it is already."""
    if not text.strip():
        return f'{{\n  "{KEY}": {_list([address, *_others(fallback, address)])}\n}}\n'
    members = _members(text, where)
    present = _named(members, KEY)
    if present is None:
        return _inserted(text, members, f'"{KEY}": {_list([address, *_others(fallback, address)])}')
    servers = _servers(present, where)
    if servers[:1] == (address,):
        return text
    wanted = _list([address, *_others(servers or fallback, address)])
    return text[: present.value_start] + wanted + text[present.end :]


def without(text: str, address: str, *, where: str) -> str:
    """The text without `address` among the servers, and without the key where no other is left."""
    members = _members(text, where)
    present = _named(members, KEY)
    if present is None or address not in _servers(present, where):
        return text
    rest = _others(_servers(present, where), address)
    if rest:
        return text[: present.value_start] + _list(rest) + text[present.end :]
    at = members.index(present)
    if at + 1 < len(members):
        return text[: present.start] + text[members[at + 1].start :]
    start = members[at - 1].end if at else present.start
    return text[:start] + text[present.end :]


def _inserted(text: str, members: Sequence[_Member], member: str) -> str:
    """As the first one, in a line of its own where the others have one each."""
    inside = text.index("{") + 1
    if not members:
        return f"{text[:inside]}\n  {member}\n{text[inside:].lstrip(_SPACE)}"
    lead = text[inside : members[0].start]
    return f"{text[:inside]}{lead}{member},{lead or ' '}{text[members[0].start :]}"


def _named(members: Sequence[_Member], key: str) -> _Member | None:
    """The last one of that key: of two the engine takes that one."""
    return next((it for it in reversed(members) if it.key == key), None)


def _servers(member: _Member, where: str) -> tuple[str, ...]:
    if not isinstance(member.value, list) or not all(isinstance(it, str) for it in member.value):
        raise BadRequest(f'{where}: "{KEY}" is not a list of addresses as text; repair it, nothing was changed')
    return tuple(member.value)


def _members(text: str, where: str) -> list[_Member]:
    try:
        whole = json.loads(text)
        if not isinstance(whole, dict):
            raise BadRequest(f"{where} is not a JSON object in braces; repair it, nothing was changed")
        return list(_walk(text))
    except ValueError as error:
        raise BadRequest(f"{where} is not valid JSON: {error}; repair it, nothing was changed") from error


def _walk(text: str) -> Iterator[_Member]:
    """The members of an object that is known to be valid, in their order."""
    read = JSONDecoder().raw_decode
    at = _skip(text, text.index("{") + 1, "")
    while text[at] != "}":
        key, behind = read(text, at)
        value_start = _skip(text, behind, ":")
        value, end = read(text, value_start)
        yield _Member(key, value, at, value_start, end)
        at = _skip(text, end, ",")


def _skip(text: str, at: int, mark: str) -> int:
    """The place behind white space and, when it is there, one mark."""
    while text[at] in _SPACE + mark:
        at += 1
    return at


def _list(servers: Sequence[str]) -> str:
    return f"[{', '.join(encode_basestring(it) for it in servers)}]"


def _others(servers: Sequence[str], address: str) -> list[str]:
    return [it for it in dict.fromkeys(servers) if it != address]


# ---------------------------------------------------------------- files


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return True  # nothing the engine would take


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}; repair it, nothing was changed") from error


def _restore(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
    else:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    """All or nothing; owner and mode stay, and a symbolic link stays one."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            _like(target, handle)
            file.flush()
            os.fsync(handle)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _like(target: Path, handle: int) -> None:
    try:
        found = target.stat()
    except FileNotFoundError:
        os.fchmod(handle, MODE)
        return
    os.fchmod(handle, found.st_mode & 0o7777)
    os.fchown(handle, found.st_uid, found.st_gid)
