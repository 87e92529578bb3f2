"""What has to be written so that a vxlan device sends everything where it should, checked on a model of the kernel."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ovsnet.linux.fdbmessage import is_single
from ovsnet.linux.forwardtable import Forwards
from ovsnet.linux.vxlan import Change, forwarding_changes

VTEPS = tuple(ip_address(f"192.0.2.{it}") for it in range(1, 4))
MACS = ("0a:00:00:00:00:01", "0a:00:00:00:00:02", "01:00:5e:00:00:01")
ODD = ("", " port 8472", " ages")

plans = st.builds(
    lambda singles, everybody: frozenset((*singles.items(), *(("", it) for it in everybody))),
    st.dictionaries(st.sampled_from(MACS[:2]), st.sampled_from(VTEPS)),
    st.frozensets(st.sampled_from(VTEPS)),
)


@st.composite
def kernels(draw: st.DrawFn) -> Forwards:
    """Anything that may be there: one VTEP for a station's MAC, any number for others, each of them odd or not."""
    found = set()
    for mac in ("", *MACS):
        most = 1 if mac and is_single(mac) else 3
        for vtep in draw(st.frozensets(st.sampled_from(VTEPS), max_size=most)):
            found.add((mac + draw(st.sampled_from(ODD)), vtep))
    return frozenset(found)


def written(have: Forwards, changes: list[Change]) -> Forwards:
    """What the kernel makes of it; like the kernel it never replaces an odd entry for everybody by a good one."""
    there = set(have)
    for it in changes:
        same = {(mac, vtep) for mac, vtep in there if mac.partition(" ")[0] == it.mac}
        if it.vtep is None:
            there -= same
        elif not it.goes:
            there.discard((it.mac, it.vtep))
        else:
            there -= same if it.mac and is_single(it.mac) else set()
            there.add((it.mac, it.vtep))
    return frozenset(there)


@given(plans, kernels())
def test_whatever_is_there_becomes_what_is_wanted(want: Forwards, have: Forwards) -> None:
    assert written(have, list(forwarding_changes(want, have))) == want


@given(plans)
def test_nothing_is_written_when_all_is_well(want: Forwards) -> None:
    assert forwarding_changes(want, want) == []


def test_a_station_that_moves_is_never_without_a_way() -> None:
    a, b, _ = VTEPS
    changes = forwarding_changes(frozenset({(MACS[0], b)}), frozenset({(MACS[0], a)}))
    assert changes == [Change(MACS[0], b, goes=True)]


def test_new_ways_come_before_old_ones_go() -> None:
    a, b, _ = VTEPS
    changes = forwarding_changes(frozenset({("", b)}), frozenset({("", a)}))
    assert changes == [Change("", b, goes=True), Change("", a, goes=False)]
