"""The host's own store as an agent opens it: what it knew it gives back to a server that lost its file."""

from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.local import LOCAL
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.process import store_socket, witness_file
from ovsnet.store.witness import Witness


def own_store(settings: Settings) -> OvsdbStore[State]:
    """Not followed yet."""
    store = OvsdbStore(str(store_socket(settings)), LOCAL, deadline=settings.store_deadline)
    store.gives_back(Witness(witness_file(settings)))
    return store
