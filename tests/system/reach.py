"""Whether a container reaches addresses: now and without loss, or again after a damage."""

import time

from tests.rig.container import Container
from tests.rig.process import wait_until


def answers(container: Container, *asked: str) -> None:
    """Each of these addresses answers, and no ping of three is lost."""
    for address in asked:
        said = container.inside("ping", "-n", "-i", "0.1", "-c", "3", "-W", "1", address, check=False)
        assert " 0% packet loss" in said.stdout, f"{address}: {said.stdout}{said.stderr}"


def answered_again(container: Container, asked: tuple[str, ...], after: str, deadline: float) -> float:
    """Seconds until each of these addresses answers after a damage; each has `deadline` of its own."""
    began = time.monotonic()
    for address in asked:

        def pings(address: str = address) -> bool:
            return container.pings(address)

        wait_until(pings, deadline, f"{address} answers after {after}")
    return round(time.monotonic() - began, 1)
