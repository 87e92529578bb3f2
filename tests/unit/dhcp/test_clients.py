"""What a client is never told."""

from pathlib import Path

import pytest

from ovsnet.dhcp.clients import Clients
from ovsnet.dhcp.places import Places
from ovsnet.model.errors import ApplyError
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import Lessee


@pytest.mark.parametrize(
    "path", ["/run/netns/a b", "/run/netns/a\nscript /tmp/evil", '/run/netns/"a', "/run/netns/ä", ""]
)
async def test_a_path_that_could_be_taken_for_something_else(path: str, tmp_path: Path) -> None:
    clients = Clients(Places(str(tmp_path / "run"), str(tmp_path / "kept")))

    with pytest.raises(ApplyError, match="cannot be told of the path"):
        await clients.start(Lessee(EndpointId("e"), path, "eth1"))

    assert clients.remembered() == frozenset()
