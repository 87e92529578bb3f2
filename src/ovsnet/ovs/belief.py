"""What we believe is on the switch: wanted values by wanted key, and how the switch writes each of them.
Pure.

A wanted text and the switch's text of the same flow may differ ("tcp,ip" and "tcp"). What the switch shows
and we do not know is a *stranger*: ours by its mark, kept under its canonical key until it is adopted or
removed.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ovsnet.ovs.flowtext import FlowReport, GroupReport, Report
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST, is_ours
from ovsnet.pipeline.flow import Flow, Resource

_Place = tuple[int, str]
"""Table and match without the priority: all that a report tells of where a flow is."""


class Belief:
    """Kept by the applier, corrected by dumps; `have` is what the reconciler sees."""

    def __init__(self) -> None:
        self._have: dict[str, Resource] = {}
        self._canonical: dict[str, Resource] = {}
        self._places: dict[_Place, tuple[str, ...]] = {}
        self._strangers: set[str] = set()
        self._unread: dict[str, Resource] = {}

    @property
    def have(self) -> Mapping[str, Resource]:
        """By resource key."""
        return MappingProxyType(self._have)

    @property
    def strangers(self) -> bool:
        """True while something is there that might be a wanted flow in other words."""
        return bool(self._strangers)

    def unread(self) -> dict[str, Resource]:
        """What is believed to be there and whose canonical form is not known yet, by resource key."""
        return dict(self._unread)

    def written(self, resources: Mapping[str, Resource]) -> None:
        """These were written; their canonical forms are not known yet."""
        for key, value in resources.items():
            self.forget(key)
            self._have[key] = self._unread[key] = value

    def forget(self, key: str) -> None:
        """It is not there any more."""
        self._have.pop(key, None)
        self._unread.pop(key, None)
        canonical = self._canonical.pop(key, None)
        if canonical is not None:
            self._strangers.discard(key)
        if isinstance(canonical, Flow):
            place = _place(canonical)
            others = tuple(it for it in self._places.pop(place, ()) if it != key)
            if others:
                self._places[place] = others

    def clear(self) -> None:
        """Nothing is there."""
        for key in list(self._have):
            self.forget(key)

    def read(self, key: str, canonical: Resource) -> None:
        """The canonical form of what is believed under `key`."""
        if canonical == self._have.get(key):
            canonical = self._have[key]  # most are: ten flows for each endpoint need not be kept twice
        self._canonical[key] = canonical
        self._unread.pop(key, None)
        if isinstance(canonical, Flow):
            place = _place(canonical)
            self._places[place] = (*(it for it in self._places.get(place, ()) if it != key), key)

    def adopt(self, wanted: Mapping[str, Resource], canonical: Mapping[str, Resource]) -> frozenset[str]:
        """Give strangers that equal wanted values their wanted keys, and return these keys.

        A stranger that has a wanted place but other contents is only forgotten: the write replaces it.
        """
        adopted = []
        for key, value in wanted.items():
            form = canonical.get(key)
            if form is None or form.key not in self._strangers:
                continue
            equal = self._have[form.key] == form
            self.forget(form.key)
            if equal:
                self._have[key] = value
                self.read(key, form)
                adopted.append(key)
        return frozenset(adopted)

    def corrected(self, dumped: Mapping[str, Resource]) -> bool:
        """Take over a complete dump, by canonical key; True if anything was not as believed. Call with
        `unread` empty.
        """
        before = dict(self._have)
        missing = dict(dumped)
        for key, canonical in list(self._canonical.items()):
            actual = missing.pop(canonical.key, None)
            if actual is None:
                self.forget(key)
            elif actual != canonical:
                self._replace(key, actual)
        for key, actual in missing.items():
            self._have[key] = actual
            self._strangers.add(key)
            self.read(key, actual)
        return before != self._have

    def _replace(self, key: str, actual: Resource) -> None:
        self.forget(key)
        self._have[key] = actual
        self.read(key, actual)

    # ------------------------------------------------------------ reports

    def agrees_with(self, reports: Iterable[Report | None]) -> bool:
        """True while every report tells what is believed anyway. Call with `unread` empty."""
        return all(self._agrees(report) for report in reports)

    def _agrees(self, report: Report | None) -> bool:
        if report is None:
            return False
        return self._agrees_on_group(report) if isinstance(report, GroupReport) else self._agrees_on_flow(report)

    def _agrees_on_flow(self, report: FlowReport) -> bool:
        forms = (self._canonical[key] for key in self._places.get((report.table, report.match), ()))
        there = [it for it in forms if isinstance(it, Flow)]
        if not is_ours(report.cookie):
            # A foreign flow goes as it came, but what appears in our place has replaced ours.
            return report.gone or not there
        same = any(it.cookie == report.cookie and it.actions == report.actions for it in there)
        return same is not report.gone

    def _agrees_on_group(self, report: GroupReport) -> bool:
        group = report.group
        if group is None:
            return False
        if not is_our_group(group.id):
            return True
        believed = self._canonical.get(group.key)
        return believed is None if report.command == "DEL" else believed == group


def is_our_group(number: int) -> bool:
    """True for a group id out of our range."""
    return GROUP_FIRST <= number <= GROUP_LAST


def _place(flow: Flow) -> _Place:
    return (flow.table, flow.match)
