"""The cluster's database as an agent opens it."""

from ovsnet.cluster.process import cluster_socket
from ovsnet.model.cluster import Cluster
from ovsnet.settings import Settings
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED

TITLE = "the cluster's database"
REMEDY = "'ovsnet cluster members' on another host shows which voters live"


def cluster_store(
    settings: Settings, *, deadline: float | None = None, last_seen: Cluster | None = None
) -> OvsdbStore[Cluster]:
    """The cluster's database as this host's own server shows it."""
    return OvsdbStore(
        str(cluster_socket(settings)),
        SHARED,
        deadline=settings.store_deadline if deadline is None else deadline,
        durable=False,
        title=TITLE,
        remedy=REMEDY,
        last_seen=last_seen,
    )
