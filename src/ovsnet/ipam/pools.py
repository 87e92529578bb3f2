"""Which subnet a pool gets: pick one that overlaps nothing, or judge the one the user wants. Pure."""

from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Network, ip_network

from ovsnet.model.addressing import Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpNetwork

SHORTEST_V4, SHORTEST_V6 = 8, 16
"""A shorter prefix swallows most of the internet, which is a typing error and never a wish."""


def parse_blocks(texts: Iterable[str]) -> tuple[IPv4Network, ...]:
    """The setting `pools_v4` as networks; BadRequest names the entry that is none."""
    blocks: list[IPv4Network] = []
    for text in texts:
        try:
            blocks.append(IPv4Network(text))
        except ValueError as error:
            raise BadRequest(f"setting pools_v4: {text!r} is not an IPv4 network in CIDR form: {error}") from error
    return tuple(blocks)


def choose_subnet(blocks: Sequence[IpNetwork], prefix: int, taken: Collection[IpNetwork]) -> IpNetwork:
    """The first subnet of length `prefix` in the blocks, in their order, that overlaps nothing in `taken`.

    A block that is smaller than that is handed out whole. Conflict when everything is taken.
    """
    for block in blocks:
        subnet = _first_gap(block, max(prefix, block.prefixlen), taken)
        if subnet is not None:
            return subnet
    tried = ", ".join(str(block) for block in blocks) or "an empty list"
    widen = ", or widen the setting pools_v4" if any(it.version == 4 for it in blocks) else ""
    raise Conflict(
        f"no free /{prefix} subnet is left in {tried}: all of it overlaps networks or routes of this host or its "
        f"cluster; give one with --subnet, or remove unused networks{widen}"
    )


def _first_gap(block: IpNetwork, prefix: int, taken: Collection[IpNetwork]) -> IpNetwork | None:
    """Walks over what is taken, not over the subnets: a /48 has 65 536 of them."""
    size = 1 << (block.max_prefixlen - prefix)
    start, end = int(block.network_address), int(block.broadcast_address)
    for first, last in sorted(_spans_within(block, taken)):
        if start + size <= first:
            break
        if last >= start:
            start = -(-(last + 1) // size) * size
    if start + size - 1 > end:
        return None
    return ip_network((block.network_address + (start - int(block.network_address)), prefix))


def _spans_within(block: IpNetwork, taken: Collection[IpNetwork]) -> list[tuple[int, int]]:
    """First and last address of what overlaps the block. A default route overlaps all and takes nothing."""
    return [
        (int(it.network_address), int(it.broadcast_address))
        for it in taken
        if it.version == block.version and it.prefixlen > 0 and overlap(it, block)
    ]


def check_subnet(subnet: IpNetwork, sub_range: IpNetwork | None) -> None:
    """BadRequest when containers cannot live in this subnet, or when `--ip-range` is not a part of it."""
    shortest = SHORTEST_V4 if subnet.version == 4 else SHORTEST_V6
    if subnet.prefixlen < shortest:
        raise BadRequest(f"subnet {subnet} is too large; use a prefix length of /{shortest} or longer")
    if _unfit(subnet):
        raise BadRequest(
            f"subnet {subnet} is multicast, loopback, link-local or reserved; use a private one such as "
            f"{'10.20.0.0/24' if subnet.version == 4 else 'fd00:20::/64'}"
        )
    if sub_range is not None and not _contains(subnet, sub_range):
        raise BadRequest(f"address range {sub_range} (--ip-range) is not inside subnet {subnet}; choose a part of it")


def _unfit(subnet: IpNetwork) -> bool:
    """RFC 1112 4: 240/4 is for nobody yet; in it are the senders the name service sees (`pipeline.dns.ALIASES`)."""
    odd = subnet.is_multicast or subnet.is_loopback
    return odd or (subnet.is_link_local if subnet.version == 6 else subnet.is_reserved)


def overlapping(subnet: IpNetwork, space: str, pools: Iterable[Pool]) -> Pool | None:
    """A pool of the same address space that shares addresses with the subnet, None when there is none."""
    return next((it for it in pools if it.space == space and overlap(it.subnet, subnet)), None)


def overlap(one: IpNetwork, other: IpNetwork) -> bool:
    """`overlaps` of the standard library refuses to compare the two families."""
    return (
        one.version == other.version
        and int(one.network_address) <= int(other.broadcast_address)
        and int(other.network_address) <= int(one.broadcast_address)
    )


def _contains(outer: IpNetwork, inner: IpNetwork) -> bool:
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen and inner.network_address in outer
