"""Names that people choose by on the command line, as `--only NAME`. Pure."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from ovsnet.model.errors import BadRequest

V = TypeVar("V")


def check_names(option: str, kind: str, names: Sequence[str], there: Collection[str]) -> None:
    """BadRequest names the first that is not there, and what is; `kind` is what they are names of."""
    for name in names:
        if name not in there:
            raise BadRequest(f"{option} {name}: there is no such {kind}; there are: {', '.join(there)}")


def chosen(kind: str, values: Sequence[V], only: Sequence[str], name_of: Callable[[V], str]) -> list[V]:
    """Those that `--only` names, or all when it names none; BadRequest names one that is not there."""
    check_names("--only", kind, only, [name_of(it) for it in values])
    return [it for it in values if not only or name_of(it) in only]
