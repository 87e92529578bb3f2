"""Whether a switch is still the one that was followed: ovs-vswitchd forgets its flows when it ends."""

from ovsnet.ovs import programs


class Lives:
    """Tells by its management socket when a switch that was followed and lost has begun anew."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._followed: object = None
        self._lost = False

    @property
    def known(self) -> bool:
        """Whether the switch was ever followed."""
        return self._followed is not None

    def followed(self) -> None:
        """The switch can be seen, in the life it is in."""
        self._followed, self._lost = programs.life(self._target), False

    def lost(self) -> None:
        """The switch cannot be followed any more."""
        self._lost = True

    def begins_anew(self) -> bool:
        """True once for each new life of a switch that was followed and lost. Unavailable while nobody listens, which
        takes no program to find out.
        """
        if not (self._lost and self.known):
            return False
        if not programs.listens(self._target):
            raise programs.unavailable(f"nobody listens on {self._target}")
        self._lost = programs.life(self._target) == self._followed
        return not self._lost
