"""The rules by which equal addresses of several address spaces are told apart, as nft takes them. Pure.

    by a gateway ─► raw: a conntrack zone for what its containers ask, the space's mark
    every packet ─► after conntrack, before routing: the mark of the space where who is asked, or who asked, is
    this host's  ─► the same on its way out

A zone of the original direction only: answers from elsewhere come to an address of this host and are in no space, and
the kernel has told the connections apart by their ports. The mark of a connection is the space it is led into; where
its answers go, its zone tells. `spaces`: the number of each gateway's, {} where all are in the common one.
"""

from collections.abc import Iterable, Iterator, Mapping

from ovsnet.linux.nft import chain
from ovsnet.model.egress import GATEWAY_DEVICES, Passage
from ovsnet.model.spaces import COMMON, INTO_COMMON, MARKED, mark_of, table_of

OTHERS = f"0x{MARKED ^ 0xFFFF_FFFF:08x}"
"""The bits of marks that are none of ours."""
OURS = f"0x{MARKED:08x}"


def spaces_of(passages: Iterable[Passage]) -> Mapping[str, int]:
    """The number of each gateway's space, by its interface; nothing where all are in the common one."""
    found = {it.device: it.space for it in passages}
    return found if any(found.values()) else {}


def chains(spaces: Mapping[str, int]) -> Iterator[str]:
    """All that is needed before routing, and behind it."""
    if not spaces:
        return
    apart = {device: number for device, number in spaces.items() if number}
    by_mark = {mark_of(it): it for it in apart.values()}
    theirs_set = ", ".join(f"0x{it:08x}" for it in by_mark)
    yield f"chain to{COMMON} {{ {_packet(COMMON)}; }}"
    yield f"chain answer{COMMON} {{ ct mark & {OURS} {{ {theirs_set} }} counter drop; }}"
    for number in by_mark.values():
        yield from _words(number)
    from_them = f"iifname {_map(_quoted(apart), 'goto from')}"
    begun = f"ct direction original ct mark & {OURS} == 0 iifname {_map(_quoted(apart), 'jump of')}"
    theirs = f"meta mark & {OURS} {_map(by_mark, 'goto from')}"
    yield from ("chain steer {", *_steer(apart, by_mark), "}")
    yield from chain("apart", "filter hook prerouting priority raw", [from_them])
    yield from chain("apart_own", "filter hook output priority raw", [theirs])
    yield from chain("way", "filter hook prerouting priority mangle", [begun, "jump steer"])
    yield from chain("way_own", "route hook output priority mangle", ["jump steer"])
    bare = f'oifname "{GATEWAY_DEVICES}*" meta mark & {OURS} {_map(by_mark, f"goto to{COMMON}", numbered=False)}'
    yield from chain("bare", "filter hook postrouting priority srcnat", [bare])


def lead(spaces: Mapping[str, int], number: int) -> str:
    """What goes before `dnat` to somebody in that space."""
    return f"{_connection(number)} {_packet(number)} " if spaces else ""


def answers(spaces: Mapping[str, int]) -> Iterator[str]:
    """Nobody answers for his namesake in another space."""
    if spaces:
        yield f"ct direction reply iifname {_map(_quoted(spaces), 'jump answer')}"


def asked_in(passage: Passage) -> str:
    """Matches what was begun in a space that is not the common one."""
    return f"ct original zone {table_of(passage.space)} " if passage.space else ""


def _words(number: int) -> Iterator[str]:
    """What is said of one space but the common one: who is led to it, answers, asks, has begun a connection."""
    yield f"chain to{number} {{ {_packet(number)}; }}"
    yield f"chain answer{number} {{ ct mark & {OURS} != 0x{mark_of(number):08x} counter drop; }}"
    yield f"chain from{number} {{ ct original zone set {table_of(number)} {_packet(number)}; }}"
    yield f"chain of{number} {{ {_connection(number)}; }}"


def _steer(apart: Mapping[str, int], by_mark: Mapping[int, int]) -> Iterator[str]:
    """To who asked; where he is in the common space, by no mark; or to who is asked."""
    by_zone = {table_of(it): it for it in apart.values()}
    led = {**by_mark, mark_of(INTO_COMMON): COMMON}
    yield f"ct direction reply ct original zone {_map(by_zone, 'goto to')}"
    yield f"ct direction reply meta mark & {OURS} {_map(by_mark, f'goto to{COMMON}', numbered=False)}"
    yield f"ct direction original ct mark & {OURS} {_map(led, 'goto to')}"


def _packet(number: int) -> str:
    more = f" | 0x{mark_of(number):08x}" if number else ""
    return f"meta mark set meta mark & {OTHERS}{more}"


def _connection(number: int) -> str:
    return f"ct mark set ct mark & {OTHERS} | 0x{mark_of(number or INTO_COMMON):08x}"


def _quoted(spaces: Mapping[str, int]) -> Mapping[str, int]:
    return {f'"{device}"': number for device, number in spaces.items()}


def _map(of: Mapping[str, int] | Mapping[int, int], verdict: str, *, numbered: bool = True) -> str:
    """`numbered`: the verdict ends with the number."""
    pairs = ", ".join(f"{key} : {verdict}{number if numbered else ''}" for key, number in of.items())
    return f"vmap {{ {pairs} }}"
