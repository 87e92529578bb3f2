"""The cluster database's schema as this build knows it; it lies in the package beside that of the store."""

from importlib.resources import files
from typing import Any, Final

import msgspec

from ovsnet.ovsdb.question import Place, result_of
from ovsnet.ovsdb.serverfile import numbers

DATABASE: Final = "OVSNet_Cluster"
DEADLINE = 5.0
"""Seconds for one answer."""


def text() -> str:
    """The file's text."""
    return files("ovsnet.store").joinpath("cluster.ovsschema").read_text()


def ours() -> Any:
    """The file, decoded."""
    return msgspec.json.decode(text())


async def found(database: Place) -> str:
    """The version the running database has, MAJOR.MINOR.PATCH; Unavailable, or ApplyError when it is not there yet."""
    return str((await result_of(database, "get_schema", [DATABASE], deadline=DEADLINE))["version"])


def is_newer(one: str, other: str) -> bool:
    """Whether the version `one` comes after `other`."""
    return numbers(one) > numbers(other)
