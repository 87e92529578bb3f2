"""Applier of flows and groups on our bridge: one atomic `ovs-ofctl` bundle per apply.

    apply:   wanted text ──► bundle ──► the switch            (one process, a few ms)
    resync:  the switch ──► dump ──► compare ◄── canonical ◄── parse-flows ◄── wanted text
    watch:   the switch ──► monitor ──► does it agree? no ──► resync ──► changed()

Ours are flows that carry our owner bits in the cookie and groups whose id is in our range; nothing else is
read or removed. A place (table, priority, match) on our bridge that the pipeline wants is ours whoever sits
there: a foreign flow at exactly that place is replaced, or else a hand-made `ovs-ofctl add-flow` could
never be repaired (docs/decisions/0020).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovs import flowtext, programs
from ovsnet.ovs.belief import Belief, is_our_group
from ovsnet.ovs.bundle import MAX_REFUSED, Bundle
from ovsnet.ovs.canonical import canonical
from ovsnet.ovs.flowwatch import watch_flows
from ovsnet.ovs.lives import Lives
from ovsnet.ovs.writer import Writer
from ovsnet.pipeline.cookies import OWNER, OWNER_MASK
from ovsnet.pipeline.flow import Resource

MASKED_OWNER = f"cookie={OWNER:#x}/{OWNER_MASK:#x}"


class FlowApplier:
    """Flows and groups of one bridge, by resource key.

    `is_ours` tells whether the bridge of that name is ours: nothing is written to another one. `deadline`
    (seconds) holds for every program it runs.

    Two wanted values that mean the same flow in different words are a fault of the pipeline and not looked
    for.
    """

    def __init__(
        self,
        bridge: str,
        ovs_run_dir: str | Path,
        *,
        is_ours: Callable[[], bool] = lambda: True,
        deadline: float = 5.0,
    ) -> None:
        self.bridge = bridge
        self._is_ours = is_ours
        self._target = programs.management_socket(bridge, ovs_run_dir)
        self._deadline = deadline
        self._belief = Belief()
        self._lock = asyncio.Lock()
        self._looked = False
        self._lives = Lives(self._target)
        self._begun_anew = False
        self._writer = Writer(self._target, deadline)

    def have(self) -> Mapping[str, Resource]:
        """What is there, by resource key, as far as known."""
        return self._belief.have

    async def resync(self) -> None:
        """Read the switch afresh; Unavailable when it does not answer, and `have` is then unchanged.

        Without a bridge of ours there is nothing to read, and nothing of ours.
        """
        async with self._lock:
            if not self._is_ours():
                self._looked = False
                self._belief.clear()
            elif self._begun_anew or self._begins_anew():
                self._begun_anew = False  # there is nothing yet that could be read
            else:
                await self._resync()

    async def apply(self, delta: Delta[Resource]) -> Sequence[ApplyError]:
        """Write what differs in one bundle and return what was refused; the bundle is sent again without
        that.

        Unavailable when the switch does not answer; it may have taken the change or not, which a resync
        tells.
        """
        if not self._is_ours():
            raise Unavailable(programs.NEIGHBOUR, f"there is no bridge {self.bridge} of ours")
        async with self._lock:
            if not self._looked:
                await self._resync()
            adopted = await self._adopt(delta)
            additions = {key: it for key, it in {**delta.add, **delta.change}.items() if key not in adopted}
            # What is not there any more was adopted under its wanted key, or is gone already.
            removals = {key: it for key, it in delta.remove.items() if key in self._belief.have}
            return await self._write(Bundle(additions, removals))

    async def watch(self, changed: Callable[[], None], lost: Callable[[], None], control_socket: Path) -> None:
        """Until cancelled, call `changed` when the flows are not what we believe, and `lost` when they cannot be seen
        any more, which `resync` then says, too.

        `have` was corrected before. `control_socket` is a path for the monitor's own socket, in a directory
        of ours.
        """
        try:
            await watch_flows(self._target, control_socket, self, changed, lost, deadline=self._deadline)
        finally:
            await self._writer.stand_down()

    async def disagrees(self, printed: Iterable[str]) -> bool:
        """True when a monitor printed what is not believed, so that `seen_afresh` is due; False for echoes of our own
        writes.
        """
        async with self._lock:
            reports = list(flowtext.parse_reports(printed))
            if not reports:
                return False
            await self._read_unread()
            return not self._belief.agrees_with(reports)

    async def seen_afresh(self) -> bool:
        """Like `resync`; True when anything was not as believed."""
        async with self._lock:
            self._lives.followed()
            await self._writer.stand_down()
            return await self._resync()

    async def lost(self) -> None:
        """The switch cannot be followed any more."""
        self._lives.lost()
        if self._lives.known:
            await self._writer.make_ready()

    async def forgotten(self) -> None:
        """The switch has begun anew: what it had is gone, and need not be looked for. Whoever has put something there
        meanwhile is found by the watch, which reads everything when it begins.
        """
        async with self._lock:
            with suppress(Unavailable):  # it is away again
                self._begun_anew = self._begins_anew()

    def _begins_anew(self) -> bool:
        """As `Lives` says it; nothing of what was believed holds then."""
        if not self._lives.begins_anew():
            return False
        self._belief.clear()
        return True

    async def written(self) -> None:
        """Returns after the first bundle since `lost` that was taken, or after a moment if there is none."""
        await self._writer.written()

    # ------------------------------------------------------------ writing

    async def _adopt(self, delta: Delta[Resource]) -> frozenset[str]:
        """After a restart the switch's flows are known by the switch's words only: match them with ours."""
        if not (delta.add and self._belief.strangers):
            return frozenset()
        return self._belief.adopt(delta.add, await self._canonical(delta.add))

    async def _write(self, bundle: Bundle) -> list[ApplyError]:
        failures: list[ApplyError] = []
        while bundle:
            outcome = await self._writer.write(bundle.text)
            if outcome.code == 0:
                break
            refused = await self._refused(bundle, outcome.complaint)
            failures += refused
            bundle = bundle.without(it.resource for it in refused)
            if len(failures) >= MAX_REFUSED and bundle:
                failures += bundle.refused("not tried: too many others were refused")
                return failures
        for key in bundle.removals:
            self._belief.forget(key)
        self._belief.written(bundle.additions)
        return failures

    async def _refused(self, bundle: Bundle, complaint: str) -> list[ApplyError]:
        at_fault = bundle.at_fault(complaint)
        if at_fault is None:
            at_fault = bundle.at_fault_by_form(complaint, await self._canonical(bundle.additions))
        if at_fault is not None:
            return [at_fault]
        if "Error OFP" in complaint:
            return bundle.refused(complaint)
        raise programs.unavailable(complaint)

    # ------------------------------------------------------------ reading

    async def _resync(self) -> bool:
        dumped = await self._dump()
        await self._read_unread()
        self._looked, self._begun_anew = True, False
        return self._belief.corrected(dumped)

    async def _dump(self) -> dict[str, Resource]:
        flows = flowtext.parse_flow_dump(await self._ask("--no-stats", "dump-flows", self._target, MASKED_OWNER))
        groups = flowtext.parse_group_dump(await self._ask("dump-groups", self._target))
        return {**flows, **{it.key: it for it in groups.values() if is_our_group(it.id)}}

    async def _read_unread(self) -> None:
        unread = self._belief.unread()
        forms = await self._canonical(unread) if unread else {}
        for key, value in unread.items():
            self._belief.read(key, forms.get(key, value))

    async def _canonical(self, resources: Mapping[str, Resource]) -> dict[str, Resource]:
        async def parse(text: str) -> programs.Outcome:
            return await self._ofctl("parse-flows", "-", stdin=text)

        return await canonical(resources, parse)

    async def _ask(self, *arguments: str) -> str:
        outcome = await self._ofctl(*arguments)
        if outcome.code:
            raise programs.unavailable(outcome.complaint)
        return outcome.output

    async def _ofctl(self, *arguments: str, stdin: str = "") -> programs.Outcome:
        return await programs.run((*programs.OFCTL, *arguments), stdin=stdin, deadline=self._deadline)
