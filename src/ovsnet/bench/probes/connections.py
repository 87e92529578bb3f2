"""New TCP connections per second, one small HTTP question on each: wrk against civetweb."""

import re
from collections.abc import Mapping, Sequence

from ovsnet.bench.probes.interface import SLACK, listens
from ovsnet.bench.report import Better, Quantity
from ovsnet.bench.wiring import End, Joined
from ovsnet.model.errors import OvsnetError

NAME = "new connections"
PORT = 8080
AT_ONCE = 8
PORTS = "net.ipv4.ip_local_port_range=1024 65535"
"""Each connection takes a port of the client's for a minute."""
_RATE = re.compile(r"Requests/sec: +(?P<rate>[\d.]+)")
PROGRAMS = {"wrk": "wrk", "civetweb": "civetweb", "ss": "iproute2"}


class Connections:
    """Connections that are made, used once and closed."""

    programs = PROGRAMS

    @property
    def quantities(self) -> Sequence[Quantity]:
        return (Quantity(NAME, "1/s", Better.HIGHER),)

    async def serve(self, server: End) -> None:
        root = server.crew.folder / "www"
        root.mkdir(exist_ok=True)
        (root / "index.html").write_text("ok\n")
        where = ("-listening_ports", str(PORT), "-document_root", str(root))
        await server.crew.start("civetweb", *where, "-num_threads", str(AT_ONCE))
        await listens(server, PORT)

    async def measure(self, joined: Joined, seconds: float) -> Mapping[str, float]:
        crew = joined.client.crew
        await crew.call("sysctl", "-qw", PORTS, "net.ipv4.tcp_tw_reuse=1")
        how = ("-t", "1", "-c", str(AT_ONCE), "-d", f"{seconds:.0f}s", "-H", "Connection: close")
        url = f"http://{joined.server.address}:{PORT}/index.html"
        said = await crew.call("wrk", *how, url, deadline=seconds + SLACK)
        found = _RATE.search(said)
        if found is None or not float(found["rate"]):
            raise OvsnetError(f"wrk: no connection was answered: {said.strip()[-200:]}")
        return {NAME: float(found["rate"])}
