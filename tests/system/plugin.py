"""The engine's calls made by hand, on the socket the engine uses."""

import json
from typing import Any

from tests.rig.host import Host

SOCKET = "/run/docker/plugins/ovsnet.sock"


def call(host: Host, method: str, **body: Any) -> Any:
    """The answer to one driver call: a map, with `Err` and `Error` in it when it was refused."""
    said = host.run(
        *("curl", "-sS", "--unix-socket", SOCKET, "--data-binary", "@-", f"http://plugin/{method}"),
        stdin=json.dumps(body),
    )
    return said.json()


def refusal(answer: Any) -> str:
    """Why a call was refused; "" when it was not."""
    return str(answer.get("Err") or answer.get("Error") or "")
