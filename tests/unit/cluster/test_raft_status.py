"""What ovsdb-server prints of a cluster, understood."""

from ipaddress import ip_address

import pytest

from ovsnet.cluster.raft import RaftRole, RaftServer, parse_status
from ovsnet.model.errors import ApplyError

FOLLOWER = """\
44ff
Name: OVSNet_Cluster
Cluster ID: e42a (e42a797a-1c87-4ffa-ae6f-69f8225cbf2e)
Server ID: 44ff (44ff49e1-9688-4bed-8b13-d566c6ca4f41)
Address: ssl:[2001:db8::2]:7643
Status: cluster member
Adding server 1176 (1176 at ssl:[2001:db8::4]:7643) (adding: catchup)
Role: follower
Term: 3
Leader: 9661
Vote: unknown

Last Election started 2050 ms ago, reason: timeout
Election timer: 1000 (changing to 2000)
Log: [2, 5]
Entries not yet committed: 0
Entries not yet applied: 0
Connections: ->0000 <-9661 <-62c8 ->62c8
Disconnections: 1
Servers:
    62c8 (62c8 at ssl:192.0.2.3:7643)
    9661 (9661 at ssl:[2001:db8::1]:7643) last msg 1033 ms ago
    44ff (44ff at ssl:[2001:db8::2]:7643) (self)
"""
LEADER = """\
404f
Server ID: 404f (404fc819-0abd-4969-a040-0ae2724fe495)
Address: ssl:192.0.2.1:7643
Status: cluster member
Role: leader
Term: 1
Leader: self
Election timer: 1000
Servers:
    404f (404f at ssl:192.0.2.1:7643) (self) next_index=2 match_index=4
    44ff (44ff at ssl:192.0.2.2:7643) next_index=5 match_index=4 last msg 30 ms ago
"""


def test_a_follower_names_all_servers_and_the_cluster() -> None:
    status = parse_status(FOLLOWER)

    assert (status.role, status.leads) == (RaftRole.FOLLOWER, False)
    assert status.cluster_id == "e42a797a-1c87-4ffa-ae6f-69f8225cbf2e"
    assert status.servers == (
        RaftServer("62c8", ip_address("192.0.2.3")),
        RaftServer("9661", ip_address("2001:db8::1")),
        RaftServer("44ff", ip_address("2001:db8::2")),
    )


def test_a_leader_is_one_and_a_cluster_may_have_no_id_yet() -> None:
    status = parse_status(LEADER)

    assert status.leads
    assert status.cluster_id == ""
    assert status.servers[1] == RaftServer("44ff", ip_address("192.0.2.2"))


@pytest.mark.parametrize("text", ["", FOLLOWER.replace("follower", "spectator"), FOLLOWER.replace("ssl:192", "tls:x")])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(ApplyError, match="cannot be read"):
        parse_status(text)
