"""Whether more has changed in the cluster than signs of life, of which a thousand hosts give a hundred in a second."""

from operator import is_

from ovsnet.model.cluster import Cluster


class Scene:
    """What was there when it was asked last."""

    def __init__(self) -> None:
        self._values: tuple[object, ...] = (None, None, None)
        self._facts: tuple[object, ...] = ()

    def is_another(self, cluster: Cluster, *facts: object) -> bool:
        """True when the cluster itself, its members or its networks changed since the last call, or one of the facts.

        Endpoints and addresses are not looked at.
        """
        values = (cluster.info, cluster.members, cluster.networks)  # immutable: a change makes new ones
        same = all(map(is_, values, self._values)) and facts == self._facts
        self._values, self._facts = values, facts
        return not same
