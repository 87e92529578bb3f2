"""An earlier version of ovsnet, made of this one: `python3 earlier.py SOURCES COPY`. Standard library only.

Endpoints had neither names nor multicast groups in the cluster's database then, members no trunks and networks no
address space: its schema lacks the columns, and nothing reads or writes them.
"""

import json
import shutil
import sys
from pathlib import Path

VERSION, SCHEMA = "0.0.9", "0.9.0"
WITHOUT = {
    "store/shared.py": (
        *('        "names": encode_names(it.names),\n', "        names=decode_names(row.names),\n"),
        *('        "listens": encode_listening(it.listens),\n', "        listens=decode_listening(row.listens),\n"),
        *('        "trunk_mtu": it.trunk_mtu,\n', "        trunk_mtu=row.trunk_mtu,\n"),
    ),
    "cluster/rbac.py": ('"trunk_mtu", ', '"listens", '),
    "control/sharing/publishing.py": (
        "        names=tuple(dict.fromkeys(it for it in names if it)),\n",
        "        listens=endpoint.listens,\n",
    ),
    "store/codec.py": ('        "space": network.space,\n', '        "space": row.space,\n'),
}


def step_back(sources: Path, copy: Path) -> None:
    """Make the copy; LookupError when the sources do not look as expected."""
    shutil.copytree(sources, copy)
    init = copy / "__init__.py"
    init.write_text(f'"""ovsnet."""\n\n__version__ = "{VERSION}"\n')
    schema = copy / "store/cluster.ovsschema"
    made = json.loads(schema.read_text())
    made["version"] = SCHEMA
    for column in ("names", "listens"):
        del made["tables"]["Endpoint"]["columns"][column]
    del made["tables"]["Member"]["columns"]["trunk_mtu"]
    del made["tables"]["Network"]["columns"]["space"]
    schema.write_text(json.dumps(made))
    for name, lines in WITHOUT.items():
        text = (copy / name).read_text()
        for line in lines:
            if line not in text:
                raise LookupError(f"{name} has no line {line!r} any more; correct this file")
            text = text.replace(line, "", 1)
        (copy / name).write_text(text)


if __name__ == "__main__":
    step_back(*map(Path, sys.argv[1:]))
