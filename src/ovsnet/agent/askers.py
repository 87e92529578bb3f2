"""Who asks the name service under an alias (`pipeline.dns`): the endpoint whose port it is made from."""

from collections.abc import Mapping
from typing import Protocol

from ovsnet.model.ids import EndpointId, IpAddress, Ofport
from ovsnet.ovs.rows import SeenPort
from ovsnet.pipeline.dns import port_of
from ovsnet.plan.names import ENDPOINT_KEY


class Ports(Protocol):
    """The switch's ports of ours, as seen from here."""

    @property
    def ours(self) -> Mapping[str, SeenPort]:
        """Every one by its name."""


class Askers:
    """Finds them by the ports; where a number was last seen is remembered, as there is a search for every question."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._names: dict[Ofport, str] = {}

    def disguised(self, source: IpAddress) -> EndpointId | None:
        """The endpoint behind an alias; None for an address that is none, and for one whose port is gone."""
        number = port_of(source)
        port = None if number is None else self._port(number)
        endpoint = port.plan.external_ids.get(ENDPOINT_KEY, "") if port else ""
        return EndpointId(endpoint) if endpoint else None

    def _port(self, number: Ofport) -> SeenPort | None:
        ours = self._ports.ours
        known = ours.get(self._names.get(number, ""))
        if known is not None and known.ofport == number:
            return known
        # Another bridge numbers its ports by itself.
        here = {name: it for name, it in ours.items() if not it.plan.bridge}
        self._names = {it.ofport: name for name, it in here.items() if it.ofport is not None}
        return ours.get(self._names.get(number, ""))
