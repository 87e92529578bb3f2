"""The schema of our database, as it lies in the package (ovsnet.ovsschema)."""

import json
from collections.abc import Collection, Mapping
from importlib.resources import files

from ovsnet.store.codec import SHAPES

DATABASE = "OVSNet"


def text() -> str:
    """The file's text."""
    return files("ovsnet.store").joinpath("ovsnet.ovsschema").read_text()


def version() -> str:
    """MAJOR.MINOR.PATCH as in the file; grows with every change of the schema."""
    return str(json.loads(text())["version"])


def columns() -> Mapping[str, Collection[str]]:
    """Every column of every table we keep values in."""
    tables = json.loads(text())["tables"]
    return {shape.table: tuple(tables[shape.table]["columns"]) for shape in SHAPES.values()}
