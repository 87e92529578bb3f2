"""Every option of the agent: type, default, unit and help, in one place. docs/configuration.md is made from it."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovsnet.model.errors import BadRequest

DEFAULT_FILE = Path("/etc/ovsnet/ovsnet.toml")


def _help(text: str, **rules: Any) -> Meta:
    return Meta(description=text, **rules)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent's options. The TOML file holds them by these names; `--set name=value` overrides the file."""

    instance: Annotated[str, _help("owner mark on everything we make", pattern="^[a-z0-9-]{1,32}$")] = "ovsnet"
    bridge: Annotated[str, _help("name of our bridge", pattern="^[A-Za-z0-9_.-]{1,15}$")] = "br-ovsnet"
    datapath: Annotated[str, _help("auto, system (kernel) or netdev (userspace)", pattern="^(auto|system|netdev)$")] = (
        "auto"
    )
    plugin_socket: Annotated[str, _help("where the Docker engine finds us")] = "/run/docker/plugins/ovsnet.sock"
    api_socket: Annotated[str, _help("where the command line finds the agent")] = "/run/ovsnet/api.sock"
    api_group: Annotated[str, _help("group that may use the API socket beside root; empty: root only")] = ""
    run_dir: Annotated[str, _help("sockets and process files, gone at reboot")] = "/run/ovsnet"
    state_dir: Annotated[str, _help("the desired state's database file")] = "/var/lib/ovsnet"
    ovsdb_socket: Annotated[str, _help("the host's switch database")] = "/run/openvswitch/db.sock"
    ovs_run_dir: Annotated[str, _help("where ovs-vswitchd keeps its management sockets")] = "/run/openvswitch"
    docker_socket: Annotated[str, _help("the Docker engine's API")] = "/run/docker.sock"
    attach_deadline: Annotated[float, _help("seconds one driver call may take before it fails", gt=0, le=60)] = 8.0
    busy_deadline: Annotated[
        float, _help("seconds an attachment may take while nothing is refused and the host is only slow", gt=0, le=120)
    ] = 30.0
    # Voters that lost their leader need up to 3 s for a new one, and a busy disk may take as long for one change.
    store_deadline: Annotated[float, _help("seconds to wait for the store to take a change", gt=0, le=60)] = 6.0
    cluster_port: Annotated[int, _help("TCP port where members' agents listen for each other", ge=1, le=65535)] = 7641
    cluster_db_port: Annotated[
        int, _help("TCP port where voters serve the cluster's database to members", ge=1, le=65535)
    ] = 7642
    cluster_raft_port: Annotated[
        int, _help("TCP port by which voters keep their copies of the database alike", ge=1, le=65535)
    ] = 7643
    mdns: Annotated[bool, _help("announce this member on the LAN of its cluster address by multicast DNS")] = False
    heartbeat_period: Annotated[float, _help("seconds between two signs of life of a member", ge=0.1)] = 10.0
    dead_after: Annotated[
        float, _help("seconds without a sign of life until a member's endpoints are not forwarded to", ge=0.5)
    ] = 35.0
    path_period: Annotated[
        float,
        _help("seconds between two looks at what fits on the way to hosts that share networks with this one", ge=1),
    ] = 300.0
    address_reserve: Annotated[
        int, _help("addresses a host holds ahead for each network of the cluster it uses", ge=0, le=256)
    ] = 8
    reserve_idle: Annotated[
        float, _help("seconds without a container until a host gives back the addresses of a network", ge=0)
    ] = 60.0
    tunnel: Annotated[
        str,
        _help(
            "auto, ovs (a port of Open vSwitch) or kernel (vxlan devices as ports; auto takes them for netdev unless "
            "the cluster's tunnels are Geneve)",
            pattern="^(auto|ovs|kernel)$",
        ),
    ] = "auto"
    receive_buffer: Annotated[
        int,
        _help(
            "bytes that wait at each of our ports until the userspace datapath takes them, as the kernel counts them; "
            "0: what net.core.rmem_default says",
            ge=0,
            le=1 << 30,
        ),
    ] = 4 << 20
    trunk: Annotated[
        str,
        _help(
            "what carries networks with mode=underlay as tagged frames: a NIC without addresses, or an OVS bridge of "
            "yours; empty: nothing",
            pattern="^[^ /]{0,15}$",
        ),
    ] = ""
    dns_address: Annotated[
        str,
        _help(
            "address at which containers ask for names, in 169.254.0.0/17, on every network",
            pattern=r"^169\.254\.(12[0-7]|1[01]\d|\d{1,2})\.(25[0-5]|2[0-4]\d|1?\d{1,2})$",
        ),
    ] = "169.254.83.83"
    dns_domain: Annotated[str, _help("domain of the cluster's names", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")] = (
        "ovsnet.internal"
    )
    spare_ports: Annotated[
        int,
        _help(
            "pairs that wait as ports of our bridge for the next containers, for each MTU that networks have; 0: each "
            "is made when a container needs it",
            ge=0,
            le=64,
        ),
    ] = 4
    multicast_period: Annotated[
        float, _help("seconds between two questions to containers for the multicast groups they listen to", ge=1)
    ] = 125.0
    resync_period: Annotated[float, _help("seconds between full comparisons with the host", ge=1)] = 300.0
    retry_period: Annotated[float, _help("seconds until what the host refused is tried again", gt=0)] = 1.0
    orphan_age: Annotated[
        float,
        _help("seconds the engine must not know an endpoint before we collect it; more than any takes to start", ge=5),
    ] = 120.0
    orphan_period: Annotated[float, _help("seconds between searches for orphans", ge=1)] = 60.0
    address_rest: Annotated[float, _help("seconds a released address rests before it is handed out again", ge=0)] = 60.0
    pools_v4: Annotated[tuple[str, ...], _help("where automatic IPv4 subnets are cut from")] = ("10.192.0.0/10",)
    pool_prefix_v4: Annotated[int, _help("prefix length of an automatic IPv4 subnet", ge=8, le=29)] = 20
    pool_prefix_v6: Annotated[int, _help("prefix length of an automatic IPv6 subnet", ge=48, le=120)] = 64
    max_body: Annotated[int, _help("bytes of the largest request body on any socket", ge=1024)] = 1 << 20
    log_level: Annotated[str, _help("debug, info, warning or error", pattern="^(debug|info|warning|error)$")] = "info"
    log_format: Annotated[str, _help("text or json", pattern="^(text|json)$")] = "text"


def load(file: Path | None = None, overrides: tuple[str, ...] = ()) -> Settings:
    """Settings from the file (the default one may be absent), then `name=value` overrides; BadRequest says why not."""
    path = file or DEFAULT_FILE
    values: dict[str, Any] = {}
    if file is not None or path.exists():
        values = _read(path)
    for override in overrides:
        name, _, text = override.partition("=")
        values[name] = _typed(text)
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"settings ({path}): {error}; every option is listed by 'ovsnet agent --help-settings'"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise BadRequest(f"settings file {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(f"settings file {path} is not valid TOML: {error}") from error


def _typed(text: str) -> Any:
    """A TOML value where it is one, else the text itself: `--set log_level=debug` needs no quotes."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
