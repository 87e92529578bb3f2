"""Attachments as rows and back. Pure."""

from ipaddress import ip_address, ip_interface
from typing import Any

from ovsnet.model.attachment import NO_NETWORK, Attachment, Tagging, Target, TargetKind
from ovsnet.model.host import Medium
from ovsnet.model.ids import EndpointId, NetworkId, Vlan, parse_mac
from ovsnet.model.network import Network, PortKind
from ovsnet.model.routing import parse_route, parse_rule, route_words, rule_words
from ovsnet.model.shaping import Shape
from ovsnet.store.codec import decode_names, encode_names
from ovsnet.store.vocabulary import Columns, RowOf


def encode_attachment(it: Attachment, row: RowOf) -> Columns:
    """Lists are JSON in their order; a network is a reference, so that it cannot go first."""
    return {
        "attachment_id": it.id,
        "target_kind": str(it.target.kind),
        "target_id": it.target.id,
        "target_name": it.target.name,
        "target_birth": it.target.birth,
        "target_service": it.target.service,
        "ifname": it.ifname,
        "mac": it.mac,
        "network": [row(Network, it.network_id)] if it.network_id else [],
        "medium": str(it.medium),
        "nic": it.nic,
        "bridge": it.bridge,
        "makes_bridge": it.makes_bridge,
        "addresses": encode_names(tuple(map(str, it.addresses))),
        "gateways": encode_names(tuple(map(str, it.gateways))),
        "routes": encode_names(tuple(map(route_words, it.routes))),
        "rules": encode_names(tuple(map(rule_words, it.rules))),
        "dhcp": list(it.dhcp),
        "slaac": it.slaac,
        "rate": it.shape.rate,
        "loss": float(it.shape.loss),
        "delay": it.shape.delay,
        "jitter": it.shape.jitter,
        "vlan": int(it.vlan),
        "tagging": str(it.tagging),
        "trunks": [int(vlan) for vlan in it.trunks],
        "mtu": it.mtu,
        "port": str(it.port),
        "host_ifname": it.host_ifname,
        "sandbox": it.sandbox,
        "label": it.label,
        "detached": it.detached,
        "created_at": repr(float(it.created_at)),
    }


def decode_attachment(row: Any) -> Attachment:
    """What `encode_attachment` wrote."""
    target = Target(
        kind=TargetKind(row.target_kind),
        id=row.target_id,
        name=row.target_name,
        birth=row.target_birth,
        service=row.target_service,
    )
    return Attachment(
        id=EndpointId(row.attachment_id),
        target=target,
        ifname=row.ifname,
        mac=parse_mac(row.mac),
        network_id=NetworkId(row.network[0].net_id) if row.network else NO_NETWORK,
        medium=Medium(row.medium),
        nic=row.nic,
        bridge=row.bridge,
        makes_bridge=row.makes_bridge,
        addresses=tuple(ip_interface(it) for it in decode_names(row.addresses)),
        gateways=tuple(ip_address(it) for it in decode_names(row.gateways)),
        routes=tuple(parse_route(it) for it in decode_names(row.routes)),
        rules=tuple(parse_rule(it) for it in decode_names(row.rules)) if row.rules else (),
        dhcp=tuple(sorted(row.dhcp)),
        slaac=row.slaac,
        shape=Shape(row.rate, row.loss, row.delay, row.jitter),
        vlan=Vlan(row.vlan),
        tagging=Tagging(row.tagging),
        trunks=tuple(sorted(Vlan(it) for it in row.trunks)),
        mtu=row.mtu,
        port=PortKind(row.port),
        host_ifname=row.host_ifname,
        sandbox=row.sandbox,
        label=row.label,
        detached=row.detached,
        created_at=float(row.created_at),
    )
