"""AgentView: what the API needs of the agent. `ovsnet.agent.main` implements it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ovsnet.api.orders import Orders
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import PortPlan, SwitchFacts
from ovsnet.model.ids import NOT_SHARED, SharedId
from ovsnet.model.state import State
from ovsnet.observe.cluster import ClusterFacts
from ovsnet.observe.drift import DriftItem
from ovsnet.observe.nearby import Around
from ovsnet.observe.status import AgentFacts
from ovsnet.settings import Settings


class AgentView(Protocol):
    """The running agent as the API sees it: values of this moment, and one question that takes time."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def orders(self) -> Orders:
        """Who carries out what is ordered."""

    def cluster(self) -> ClusterFacts:
        """What is known of the cluster; of none on a host that is in none.

        Of endpoints and leases that are those of the networks of this host.
        """

    async def counted_cluster(self) -> ClusterFacts:
        """The same with `counts` of all hosts, as far as the cluster's database tells them."""

    async def published(self, network: SharedId = NOT_SHARED) -> Cluster:
        """The cluster with everything that has been published on this network, or on any.

        Unavailable when its database does not answer.
        """

    async def around(self) -> Around:
        """Listen for members that announce themselves on the LAN, for some seconds. Unavailable when one cannot."""

    def agent(self) -> AgentFacts:
        """What the agent knows of itself and its neighbours."""

    def state(self) -> State:
        """The desired state."""

    def switch(self) -> SwitchFacts:
        """Open vSwitch as its database shows it."""

    def ports(self) -> Mapping[str, PortPlan]:
        """Our ports as the switch database holds them, with their external ids, by name."""

    def failures(self) -> Sequence[ApplyError]:
        """What the host refused in the last round."""

    async def drift(self) -> Sequence[DriftItem]:
        """Read the host afresh and compare (`ovsnet.observe.drift.compare`); Unavailable when it cannot be
        read.
        """

    def recent_log(self) -> Sequence[str]:
        """The last lines of the log, oldest first."""
