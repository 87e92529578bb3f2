"""What is attached, as people see it."""

from dataclasses import replace

import pytest

from ovsnet.cli.attach import table_of
from ovsnet.cli.output import plain
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import SwitchFacts
from ovsnet.observe.attachments import all_attachments
from ovsnet.observe.endpoints import on_switch
from ovsnet.observe.status import AgentFacts, status_of
from ovsnet.plan import names
from tests.states import ATTACHED, ATTACHED_AND_STOPPED, ON_LAN

PORT = names.host_end(ON_LAN.id)


def test_also_what_does_not_run_is_listed() -> None:
    running, stopped = all_attachments(ATTACHED), all_attachments(ATTACHED_AND_STOPPED)
    assert [(it.target, it.ifname, it.running) for it in running] == [("c1", "eth1", True), ("c1", "eth2", True)]
    assert [it.running for it in stopped] == [False, False]
    assert "c1      eth1    bridge lan   192.0.2.7/24" in plain(table_of(running))
    assert "c1      eth2    network web" in plain(table_of(running))


@pytest.mark.row(16, 88)
def test_one_whose_bridge_has_gone_is_told_of() -> None:
    somebodys = replace(ON_LAN, makes_bridge=False)
    state = replace(ATTACHED, attachments={somebodys.id: somebodys})
    switch = SwitchFacts(available=True)
    (listed,) = (it for it in on_switch(state, switch, {}, []) if it.bridge)
    assert listed.reason == "there is no bridge lan"
    agent = AgentFacts(version="1", pid=1, uptime=1.0, bridge="br", ready=True, store_available=True)
    (problem,) = status_of(agent, state, switch, [], None).problems
    assert problem.startswith("Interface eth1 of c1 is not in force: there is no bridge lan any more")


@pytest.mark.row(29, 88)
def test_one_that_is_not_in_force_is_named_with_the_reason() -> None:
    switch, failures = SwitchFacts(available=True), [ApplyError(PORT, "there is no bridge lan")]
    (listed,) = (it for it in on_switch(ATTACHED, switch, {}, failures) if it.bridge)
    assert (listed.container, listed.ifname, listed.reason) == ("c1", "eth1", "there is no bridge lan")
    agent = AgentFacts(version="1", pid=1, uptime=1.0, bridge="br", ready=True, store_available=True)
    problems = status_of(agent, ATTACHED, switch, failures, None).problems
    assert f"Not in place: {PORT} (interface eth1 of c1): there is no bridge lan." in problems[0]
