"""Speaks to a port as nobody should be let in; runs INSIDE a host. Standard library only.

knock.py ADDRESS PORT plain                   an OVSDB request without TLS
knock.py ADDRESS PORT anonymous               the same through TLS, with no certificate
knock.py ADDRESS PORT stranger CERT KEY       … with this one
prints what came back, as far as it came; nothing when the connection was closed or reset
"""

import contextlib
import socket
import ssl
import sys

REQUEST = b'{"id":1,"method":"list_dbs","params":[]}'
PATIENCE = 3.0


def knock(address: str, port: int, files: list[str], *, plain: bool) -> str:
    """The beginning of the answer."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=PATIENCE) as line:
        if plain:
            return _asked(line)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if files:
            context.load_cert_chain(*files)
        with context.wrap_socket(line) as safe:
            return _asked(safe)
    return ""


def _asked(line: socket.socket) -> str:
    line.sendall(REQUEST)
    return line.recv(4096).decode(errors="replace")


if __name__ == "__main__":
    sys.stdout.write(knock(sys.argv[1], int(sys.argv[2]), sys.argv[4:], plain=sys.argv[3] == "plain"))
