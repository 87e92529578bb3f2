"""A member's server of a cluster's database on a host of a measurement, with a certificate of its own."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from ovsnet.bench.crew import PATIENCE
from ovsnet.bench.station import Station, answers
from ovsnet.cluster import authority, process
from ovsnet.cluster.authority import Authority
from ovsnet.cluster.identity import Membership, identity_files, write_membership, write_private
from ovsnet.cluster.raft import LocalServer
from ovsnet.model.cluster import Role
from ovsnet.model.ids import HostName

UMASK = 0o177


class ClusterServer:
    """That of this host. `voters` are the addresses of the cluster's voters."""

    def __init__(self, signer: Authority, voters: Sequence[str], station: Station) -> None:
        self.station = station
        self._authority = signer
        self._voters = tuple(voters)

    async def open(self, name: HostName, address: IPv4Address, role: Role) -> int:
        """Make the host a member and start its server; the process id, once it is connected."""
        settings = self.station.settings
        membership = self._make_member(name, address, role)
        process.prepare(settings, membership)
        server = await self.station.crew.start(*process.command(settings, membership), umask=UMASK)
        await answers(process.cluster_socket(settings))
        await LocalServer(settings).until_connected(PATIENCE)
        return server.pid

    def _make_member(self, name: HostName, address: IPv4Address, role: Role) -> Membership:
        files = identity_files(self.station.settings)
        request = authority.new_request(name)
        certificate = authority.sign(
            self._authority, request.request_pem, name=name, addresses=[address], now=time.time()
        )
        for path, content in (
            (files.authority, self._authority.certificate_pem),
            (files.certificate, certificate),
            (files.key, request.key_pem),
        ):
            write_private(path, content.encode())
        membership = Membership(
            cluster_id="bench",
            host=name,
            address=str(address),
            vtep=str(address),
            role=role,
            voters=self._voters,
            founder=role is Role.VOTER,
        )
        write_membership(files, membership)
        return membership
