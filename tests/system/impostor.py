"""Somebody on the LAN who announces himself as a member of a cluster that he is none of, and shows its authority.

impostor.py ADDRESS INTERFACE ID AUTHORITY-FILE

He has a certificate of an authority of his own with the same name. What he is asked is printed, a line each.
"""

import asyncio
import signal
import sys
import tempfile
import time
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web

from ovsnet.cluster import authority, keyfiles, tls
from ovsnet.cluster.announce import announced
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.sighting import Sighting, shown
from ovsnet.model.ids import HostName

PORT = 7641
NAME = HostName("impostor")


async def main(address: str, interface: str, cluster_id: str, pem: str) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    async def answer(request: web.Request) -> web.Response:
        print(request.method, request.path, await request.text(), flush=True)
        return web.Response(text=pem)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, PORT, ssl_context=tls.server_context(own_identity(cluster_id, address))).start()
    fingerprint = shown(authority.fingerprint(pem))
    async with announced(Sighting(cluster_id, fingerprint, NAME, ip_address(address), PORT), interface):
        print("announced", flush=True)
        await ended.wait()
    await runner.cleanup()


def own_identity(cluster_id: str, address: str) -> IdentityFiles:
    """As good as he can make it himself."""
    signer, made = authority.new_authority(cluster_id, time.time()), authority.new_request(NAME)
    addresses = (ip_address(address),)
    certificate = authority.sign(signer, made.request_pem, name=NAME, addresses=addresses, now=time.time())
    files = IdentityFiles(Path(tempfile.mkdtemp()))
    keyfiles.keep_identity(
        files, key_pem=made.key_pem, certificate_pem=certificate, authority_pem=signer.certificate_pem
    )
    return files


if __name__ == "__main__":
    address, interface, cluster_id, file = sys.argv[1:]
    asyncio.run(main(address, interface, cluster_id, Path(file).read_text()))
