"""What the engine's JSON says of containers and their namespaces."""

import msgspec
import pytest

from ovsnet.engine.facts import EngineContainer, Inspected
from ovsnet.engine.wire import Container, Described, container_of, inspected_of

ID = "c1" * 32
LISTED = {
    "Id": ID,
    "Names": ["/other/db", "/db"],
    "Labels": {
        "com.docker.compose.service": "store",
        "ovsnet.attach": "--bridge lan",
        "ovsnet.attach.web": "--network web",
        "ovsnet.attachment": "no wish",
    },
}
DESCRIBED = {
    "Id": ID,
    "Name": "/db",
    "State": {"Running": True, "Pid": 7},
    "Config": {"Labels": {"com.docker.compose.service": "store"}},
    "HostConfig": {"NetworkMode": "none"},
    "NetworkSettings": {"SandboxKey": "/var/run/docker/netns/0123", "Networks": {}},
}


@pytest.mark.row(28)
def test_a_listed_container_with_what_its_labels_ask_for() -> None:
    found = container_of(msgspec.convert(LISTED, Container))
    wishes = {"ovsnet.attach": "--bridge lan", "ovsnet.attach.web": "--network web"}
    assert found == EngineContainer(ID, "db", "store", wishes)
    assert container_of(msgspec.convert({"Id": ID, "Labels": None}, Container)) == EngineContainer(ID, wishes={})


@pytest.mark.row(17, 27)
def test_a_container_that_was_asked_for() -> None:
    found = inspected_of(msgspec.convert(DESCRIBED, Described))
    assert found == Inspected(ID, "db", "store", True, "none", "/var/run/docker/netns/0123")
    stopped = inspected_of(msgspec.convert({**DESCRIBED, "State": {"Running": False}}, Described))
    assert (stopped.running, stopped.sandbox) == (False, "")
