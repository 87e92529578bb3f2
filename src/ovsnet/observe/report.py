"""The bundle for a bug report: one gzip'ed tar file.

In it: what the agent knows, what the switch and the packet filter have of ours, versions. Never in it: environment
variables, values of labels (people keep passwords there), foreign rows, flows and rules.
"""

import asyncio
import io
import os
import platform
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec

from ovsnet import __version__, processes
from ovsnet.linux import firewall, tunnelends
from ovsnet.linux.nft import NFT
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.observe import doctor
from ovsnet.pipeline.cookies import OWNER, OWNER_MASK
from ovsnet.plan.names import OWNER_KEY
from ovsnet.settings import Settings

FOLDER = "ovsnet-report"
TABLES = ("Bridge", "Port", "Interface")
DEADLINE = 5.0
"""Seconds each program gets."""


def agent_files(answers: Mapping[str, Any], state: State, log: Sequence[str]) -> dict[str, bytes]:
    """The agent's part: its API answers, the desired state, the end of its log."""
    files = {f"{name}.json": _json(value) for name, value in answers.items()}
    return {**files, "state.json": _json(_plain(state)), "log.txt": _lines(log)}


async def bundle(settings: Settings, files: Mapping[str, bytes]) -> bytes:
    """These files and the host's part, packed."""
    host = await _host_files(settings)
    return await asyncio.to_thread(_packed, {**host, **files})


async def _host_files(settings: Settings) -> dict[str, bytes]:
    """What programs and the doctor say; a program that fails leaves its complaint in its file."""
    programs = _programs(settings)
    async with asyncio.TaskGroup() as group:
        found = group.create_task(asyncio.to_thread(doctor.examine, settings))
        said = {name: group.create_task(_said(arguments)) for name, arguments in programs.items()}
    files = {name: it.result() for name, it in said.items()}
    return {**files, "doctor.json": _json(found.result()), "host.txt": _lines(_host_facts())}


def _programs(settings: Settings) -> dict[str, tuple[str, ...]]:
    management = f"unix:{settings.ovs_run_dir}/{settings.bridge}.mgmt"
    timeout = f"--timeout={DEADLINE:g}"
    ofctl = ("ovs-ofctl", "-O", "OpenFlow14", "--no-names", timeout)
    vsctl = ("ovs-vsctl", f"--db=unix:{settings.ovsdb_socket}", "--no-wait", timeout, "--format=json")
    mark = f"external_ids:{OWNER_KEY}={settings.instance}"
    rows = {f"ovsdb-{it.lower()}.json": (*vsctl, "find", it, mark) for it in TABLES}
    tables = {"egress": firewall.table_of(settings.instance), "tunnels": tunnelends.table_of(settings.instance)}
    rules = {f"rules-{name}.nft": (NFT, "list", "table", "inet", it) for name, it in tables.items()}
    return {
        **rows,
        **rules,
        "flows.txt": (*ofctl, "dump-flows", management, f"cookie={OWNER:#x}/{OWNER_MASK:#x}"),
        "groups.txt": (*ofctl, "dump-groups", management),
    }


async def _said(arguments: Sequence[str]) -> bytes:
    try:
        # Its own --timeout comes first and explains itself.
        return (await processes.run(arguments, deadline=DEADLINE + 1, merge_complaints=True)).output
    except TimeoutError:
        return f"{arguments[0]} did not end within {DEADLINE + 1:g} s\n".encode()
    except OSError as error:
        return f"{arguments[0]} could not be run: {error.strerror}\n".encode()


def _host_facts() -> list[str]:
    release = Path("/etc/os-release")
    name = next((it for it in _text(release) if it.startswith("PRETTY_NAME=")), "PRETTY_NAME=unknown")
    return [
        f"ovsnet {__version__}",
        f"python {platform.python_version()}",
        f"kernel {' '.join(os.uname()[2:])}",
        f"distribution {name.partition('=')[2]}",
        f"made {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
    ]


def _text(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _plain(state: State) -> dict[str, Any]:
    """All of it, whatever is added to it later; the keys of its mappings are parts of their values."""
    parts = {it.name: _values(getattr(state, it.name)) for it in fields(state)}
    return {**parts, "networks": [_without_label_values(it) for it in state.networks.values()]}


def _values(part: Any) -> Any:
    return list(part.values()) if isinstance(part, Mapping) else part


def _without_label_values(network: Network) -> Network:
    return replace(network, labels=tuple((key, "(left out)") for key, _ in network.labels))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{it}\n" for it in lines).encode()


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
