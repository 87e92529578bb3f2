"""`ovsnet cluster …`: hosts that share networks."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.orders import (
    Done,
    ForgetOrder,
    InitOrder,
    Invitation,
    JoinOrder,
    LeaveOrder,
    RecoverOrder,
    RestoreOrder,
    TokenOrder,
)
from ovsnet.api.schema import ClusterStatus, MemberInfo, Status
from ovsnet.cli import options
from ovsnet.cli.nearby import discover
from ovsnet.cli.output import Table, duration, show_json, show_table
from ovsnet.model.cluster import Encapsulation
from ovsnet.model.errors import BadRequest, Conflict, Unavailable

PATIENCE = 120.0
"""Seconds an order may take: a new host waits for certificates and for its first copy of the database."""
RESTART = 30.0
"""Seconds until the agent must serve again after it began or joined a cluster."""
NAMES = (
    "So that containers find those of other hosts by name: 'ovsnet dns enable', and restart the Docker engine once; or "
    "start them with '--dns' and the address in 'ovsnet config' (dns_address)."
)
ASK_AGAIN = 0.1
"""Seconds between questions to an agent that starts anew: one that is not there cannot tell when it comes."""


@click.group(short_help="Begin, join and look after a cluster of hosts.")
def cluster() -> None:
    """Begin, join and look after a cluster of hosts that share networks over tunnels."""


cluster.add_command(discover)


@cluster.command("init", short_help="Begin a cluster on this host.")
@click.option("--advertise", default="", metavar="ADDRESS|INTERFACE", help="Where other members reach this host.")
@click.option("--vtep", default="", metavar="ADDRESS|INTERFACE", help="Where tunnels end, if elsewhere.")
@click.option("--name", default="", help="Name of this host in the cluster.  [default: its host name]")
@click.option(
    "--encapsulation",
    default=Encapsulation.VXLAN.value,
    show_default=True,
    type=click.Choice([it.value for it in Encapsulation]),
    help="What the tunnels are, for as long as there is the cluster.",
)
@click.option(
    "--udp-port",
    type=click.IntRange(1, 65535),
    help="Port of the tunnels.  [default: 4789 for vxlan, 6081 for geneve]",
)
@click.option("--docker-dns", is_flag=True, help="Have the engine ask our name service first (daemon.json).")
@options.api_socket
def init(
    agent: Client, advertise: str, vtep: str, name: str, encapsulation: str, udp_port: int | None, *, docker_dns: bool
) -> None:
    """Begin a cluster on this host and print the command that lets another host join."""
    click.echo("making the cluster's keys and its database on this host …", err=True)
    order = InitOrder(
        advertise=advertise,
        vtep=vtep,
        name=name,
        encapsulation=Encapsulation(encapsulation),
        udp_port=udp_port or 0,
        docker_dns=docker_dns,
    )
    invitation = agent.order("/v1/cluster/init", order, Invitation, timeout=PATIENCE)
    _until_back(agent)
    click.echo("The cluster is there. On every host that shall join, run:\n")
    _show(invitation)
    click.echo(invitation.message or NAMES)


@cluster.command("join", short_help="Join the cluster of another host.")
@click.argument("address", default="")
@click.option(
    "--token", required=True, envvar="OVSNET_JOIN_TOKEN", show_envvar=True, help="From 'ovsnet cluster token'."
)
@click.option("--advertise", default="", metavar="ADDRESS|INTERFACE", help="Where other members reach this host.")
@click.option("--vtep", default="", metavar="ADDRESS|INTERFACE", help="Where tunnels end, if elsewhere.")
@click.option("--name", default="", help="Name of this host in the cluster.  [default: its host name]")
@click.option("--docker-dns", is_flag=True, help="Have the engine ask our name service first (daemon.json).")
@options.api_socket
def join(agent: Client, address: str, token: str, advertise: str, vtep: str, name: str, *, docker_dns: bool) -> None:
    """Join the cluster that the host at ADDRESS is in.

    Without ADDRESS a member of the token's cluster is looked for on the LAN; it must have the setting mdns.

    `--token -` reads the token from standard input, so that it is in no list of processes.
    """
    word = token if len(token) > 1 else str(sys.stdin.read()).strip()
    click.echo(f"asking {address or 'a member on the LAN'} to let this host in …", err=True)
    order = JoinOrder(address=address, token=word, advertise=advertise, vtep=vtep, name=name, docker_dns=docker_dns)
    done = agent.order("/v1/cluster/join", order, Done, timeout=PATIENCE)
    _until_back(agent)
    click.echo(
        f"{done.message} Next: 'docker network ls' shows the cluster's networks; 'ovsnet cluster members' its hosts."
    )


@cluster.command("token", short_help="Print a new command to join with.")
@click.option("--hours", default=24.0, show_default=True, type=click.FloatRange(min=0.01), help="How long it is good.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.api_socket
def token(agent: Client, hours: float, *, as_json: bool) -> None:
    """Print a new command that lets a host join; earlier ones stay good until their time is up."""
    invitation = agent.order("/v1/cluster/token", TokenOrder(hours=hours), Invitation)
    if as_json:
        show_json(_encoded(invitation))
    else:
        _show(invitation)


@cluster.command("members", short_help="List the hosts of the cluster.")
@options.as_json
@options.api_socket
def members(agent: Client, *, as_json: bool) -> None:
    """List the hosts of the cluster. Exits 1 when one of them gives no sign of life."""
    body = agent.body("/v1/cluster/members")
    found = decode(body, tuple[MemberInfo, ...])
    if as_json:
        show_json(body)
    else:
        show_table(table_of(found))
    sys.exit(1 if any(it.state == "dead" for it in found) else 0)


@cluster.command("status", short_help="Show how the cluster is.")
@options.as_json
@options.api_socket
def status(agent: Client, *, as_json: bool) -> None:
    """Show how the cluster is, as this host sees it. Exits 1 when its database takes no changes."""
    body = agent.body("/v1/cluster")
    found = decode(body, ClusterStatus)
    if as_json:
        show_json(body)
    else:
        click.echo("\n".join(lines_of(found)))
    sys.exit(0 if found.available or not found.id else 1)


@cluster.command("leave", short_help="Take this host out of its cluster.")
@click.option("--force", is_flag=True, help="Also when the cluster cannot be told, or containers are on its networks.")
@options.api_socket
def leave(agent: Client, *, force: bool) -> None:
    """Take this host out of its cluster: its addresses are free, its tunnels go, the networks leave its engine."""
    done = agent.order("/v1/cluster/leave", LeaveOrder(force=force), Done, timeout=PATIENCE)
    _until_back(agent)
    click.echo(done.message)


@cluster.command("forget", short_help="Take a host out that is gone for good.")
@click.argument("host")
@click.option("--force", is_flag=True, help="Also a host that gives signs of life.")
@options.api_socket
def forget(agent: Client, host: str, *, force: bool) -> None:
    """Take HOST out of the cluster, from any member: its addresses are free and it can change nothing any more.

    A host that is not in the cluster has been forgotten already.
    """
    click.echo(agent.order("/v1/cluster/forget", ForgetOrder(host=host, force=force), Done, timeout=PATIENCE).message)


@cluster.command("backup", short_help="Write the cluster's database into a file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@options.api_socket
def backup(agent: Client, file: Path, *, force: bool) -> None:
    """Write the cluster's database into FILE (`-`: standard output), from any member.

    It is a standalone OVSDB database, which `ovsdb-tool` can read. Keys and certificates are not in it: they are on the
    hosts.
    """
    if file.exists() and not force:
        raise Conflict(f"{file} is there already; choose another name, or replace it with --force")
    content = agent.backup()
    if str(file) == "-":
        click.echo(content, nl=False)
        return
    _write(file, content)
    click.echo(f"{file}: {max(1, len(content) >> 10)} KiB. 'ovsnet cluster restore {file}' on a voter brings it back.")


@cluster.command("restore", short_help="Make the cluster's database what it was.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also when hosts have joined since, or networks with containers would go.")
@options.api_socket
def restore(agent: Client, file: Path, *, force: bool) -> None:
    """Make the cluster's database what it was when FILE (`-`: standard input) was made by `backup`. Run it on a voter.

    Networks and names added by hand become those of the backup. Running containers keep their addresses. Hosts that
    joined since are unknown then, and must join again.
    """
    order = RestoreOrder(content=_read(file), force=force)
    click.echo(agent.order("/v1/cluster/restore", order, Done, timeout=PATIENCE).message)


@cluster.command("recover", short_help="Go on when most voters are gone for good.")
@click.option("--yes", is_flag=True, help="Do it; without this only what it means is said.")
@options.api_socket
def recover(agent: Client, *, yes: bool) -> None:
    """Go on with this voter's copy of the cluster's database alone, when most voters are gone for good.

    Voters that come back follow this host by themselves. Others vote again, chosen as ever, once they live.
    """
    click.echo(agent.order("/v1/cluster/recover", RecoverOrder(yes=yes), Done, timeout=PATIENCE).message)


def table_of(found: tuple[MemberInfo, ...]) -> Table:
    """One line per host."""
    return Table(
        heads=(
            "NAME",
            "ADDRESS",
            "VTEP",
            "MTU",
            "ROLE",
            "STATE",
            "SILENT",
            "PATH",
            "VERSION",
            "ENDPOINTS",
            "ADDRESSES",
        ),
        rows=[
            (
                f"{it.name} (this host)" if it.me else it.name,
                it.address,
                it.vtep,
                str(it.mtu),
                it.role,
                it.state,
                "" if it.silence is None or it.me else duration(it.silence),
                it.path,
                it.version,
                str(it.endpoints),
                str(it.leases),
            )
            for it in found
        ],
        empty="This host is in no cluster. Begin one: ovsnet cluster init; or join one: ovsnet cluster join",
    )


def lines_of(found: ClusterStatus) -> Iterator[str]:
    """The cluster on its own page."""
    if not found.id:
        yield "This host is in no cluster. Begin one: ovsnet cluster init; or join one: ovsnet cluster join"
        return
    state = "takes changes" if found.available else f"TAKES NO CHANGES ({found.reason})"
    yield f"cluster   {found.id}"
    yield f"tunnels   {Encapsulation(found.encapsulation).called}, UDP port {found.udp_port}"
    yield f"this host {found.host}, {found.role or 'FORGOTTEN'}{', leader' if found.leader else ''}"
    yield f"database  {state}"
    yield f"members   {found.members}, of which {found.voters} vote"
    yield f"dead      {', '.join(found.dead) or 'none'}"
    yield f"networks  {found.networks}"
    yield f"endpoints {found.endpoints}{f', {found.waiting} waiting to be published' if found.waiting else ''}"


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, for its owner only."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadRequest(f"{file} cannot be written: {error.strerror}; choose another place") from error


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from error


def _show(invitation: Invitation) -> None:
    click.echo(f"    {invitation.command}\n")
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(invitation.expires_at))
    click.echo(f"It is good until {until}; 'ovsnet cluster token' prints a new one any time.")


def _encoded(invitation: Invitation) -> bytes:
    import msgspec  # noqa: PLC0415 - this verb alone needs it

    return msgspec.json.encode(invitation)


def _until_back(agent: Client) -> None:
    """The agent starts anew after it changed sides; a person's next command shall find it."""
    until = time.monotonic() + RESTART
    while True:
        try:
            if agent.ask("/v1/status", Status).ready:
                return
        except Unavailable:
            if time.monotonic() >= until:
                raise
        time.sleep(ASK_AGAIN)
