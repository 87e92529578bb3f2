"""Make docs/matrix.md of what the last `make matrix` said (docs/results/matrix.json).

generate_matrix.py            write it
generate_matrix.py --check    exit 1 when it differs
"""

import json
import re
import sys
from typing import Any

import generated
from generated import ROOT

RESULTS = ROOT / "docs" / "results" / "matrix.json"
PAGE = ROOT / "docs" / "matrix.md"
# test_a_deleted_port_is_back[trixie-delete_link], and the order in which the page shows combinations.
TEST = re.compile(r".*/test_matrix_versions\.py::test_(\w+)\[(.*)\]")
COMBINATIONS = ("machine", "trixie", "sid", "kernel-sid")
HEAD = """# Engines, switches, kernels

Made by `make matrix` from what its tests said; not edited by hand. Each test is one promise, tried with containers and
packets on a host of that combination; what they do is in `tests/system/test_matrix_versions.py`. After each of them
`ovsnet check` found nothing to report.

`machine` is the machine that ran the tests. The others are Debian suites as `tests/rig/mkroot` builds them, with the
agent on that suite's own Python; `kernel-` runs on that suite's kernel and the kernel datapath, the others on the
machine's kernel and the userspace datapath. An empty field: the engine does not have this, or it is not tried there.
"""


def render(results: dict[str, Any]) -> str:
    """The whole page."""
    versions = {name: text for name, text in results["versions"].items() if name in COMBINATIONS}
    names = [name for name in COMBINATIONS if name in versions]
    outcomes, figures = _outcomes(results["tests"])
    lines = [HEAD, *(f"* `{name}`: {versions[name]}" for name in names), ""]
    lines += _table("Promise", names, outcomes)
    lines += ["", *_table("Measured, on a machine with other work", names, figures)]
    return "\n".join([*lines, ""])


def _outcomes(tests: dict[str, Any]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """By sentence and combination: whether it holds; by figure and combination: the value."""
    outcomes: dict[str, dict[str, str]] = {}
    figures: dict[str, dict[str, str]] = {}
    for test, found in sorted(tests.items()):
        if (named := TEST.fullmatch(test)) is None:
            continue
        combination, more = _combination(named[2])
        sentence = f"{named[1]}{' ' + more if more else ''}".replace("_", " ").replace("ipv", "IPv")
        outcomes.setdefault(sentence, {})[combination] = "yes" if found["outcome"] == "passed" else "**no**"
        for figure, value in found["figures"].items():
            figures.setdefault(figure.removesuffix(f" ({combination})"), {})[combination] = str(value)
    return outcomes, figures


def _combination(parameters: str) -> tuple[str, str]:
    """The combination among a test's parameters, and the others."""
    name = max((it for it in COMBINATIONS if parameters.startswith(it)), key=len)
    return name, parameters.removeprefix(name).strip("-").replace("_", " ")


def _table(head: str, names: list[str], rows: dict[str, dict[str, str]]) -> list[str]:
    lines = [f"| {head} | {' | '.join(f'`{it}`' for it in names)} |", f"|---{'|---' * len(names)}|"]
    return lines + [f"| {it} | {' | '.join(rows[it].get(name, '') for name in names)} |" for it in rows]


if __name__ == "__main__":
    page = render(json.loads(RESULTS.read_text()))
    sys.exit(generated.main(str(__doc__), {PAGE: page}, again="make matrix"))
