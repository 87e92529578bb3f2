"""Published and imported services as rows and back. Pure."""

from ipaddress import ip_address
from typing import Any

from ovsnet.model.ids import NetworkId
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Export, Import
from ovsnet.store.vocabulary import Columns, RowOf


def encode_export(it: Export, _row: RowOf) -> Columns:
    """The columns of the table Export."""
    return {
        "transport": str(it.publication.transport),
        "host": str(it.publication.host),
        "host_port": it.publication.host_port,
        "port": it.publication.port,
        "container_id": it.container_id,
        "container_name": it.container_name,
        "net_id": it.network_id,
    }


def decode_export(row: Any) -> Export:
    """What `encode_export` wrote."""
    led = Publication(Transport(row.transport), ip_address(row.host), row.host_port, row.port)
    return Export(led, row.container_id, NetworkId(row.net_id), row.container_name)


def encode_import(it: Import, _row: RowOf) -> Columns:
    """The columns of the table Import."""
    return {
        "net_id": it.network_id,
        "address": str(it.address),
        "transport": str(it.transport),
        "port": it.port,
        "target": str(it.target),
        "target_port": it.target_port,
    }


def decode_import(row: Any) -> Import:
    """What `encode_import` wrote."""
    return Import(
        network_id=NetworkId(row.net_id),
        address=ip_address(row.address),
        transport=Transport(row.transport),
        port=row.port,
        target=ip_address(row.target),
        target_port=row.target_port,
    )
